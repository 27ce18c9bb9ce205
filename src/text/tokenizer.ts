// Text to token ids and back, from a standard tokenizer.json (BPE). Adds no tokens of its own: what begins or ends a
// document is the caller's business. Knows no files.

import { InputError } from "../error.ts";
import { type AddedTokens, addedTokens } from "./added-tokens.ts";
import { Bpe, type BpeOptions } from "./bpe.ts";
import { spell } from "./byte-alphabet.ts";
import { type Normalizer, normalizer } from "./normalizer.ts";
import { type Pretokenizer, pretokenizer } from "./pretokenizer.ts";
import { TokenBuffer } from "./token-buffer.ts";
import { readTokenizerJson, type TokenizerTables } from "./tokenizer-json.ts";

/** How text becomes token ids and back. */
export interface Tokenizer {
  /** The number of tokens; ids are 0 … vocab − 1. A model may score more, which stand for nothing. */
  readonly vocab: number;
  /** The id of the token that stands between documents, in training data. */
  readonly endOfText: number;
  /** The ids that a text begins with when a model is to read it. */
  readonly prefix: readonly number[];
  /** The ids that end a text that a model writes; `endOfText` is one of them. */
  readonly ends: ReadonlySet<number>;
  /** Special tokens by their text. */
  readonly special: ReadonlyMap<string, number>;
  /** The ids of `text`. Special tokens spelled out in it are plain text, unless `special` is set. */
  encode(text: string, options?: { special?: boolean }): Uint32Array;
  /**
   * The text of `ids`, with the space that some tokenizers put before every text; bytes that are not UTF-8 become U+FFFD. Throws
   * InputError for an id that the model has not.
   */
  decode(ids: Iterable<number>): string;
  /** The bytes of one token, none for one that only the model has. Throws InputError for an id that it has not. */
  bytesOf(id: number): Uint8Array;
  /** The tokenizer.json it was read from. */
  readonly json: object;
}

/** The texts by which the end-of-text token is found, if it is not named. */
const endings = ["<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<｜end▁of▁sentence｜>"];

/** The texts of special tokens by which models end what they say in a chat. */
const turnEndings = ["<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<end_of_turn>"];

/** What a tokenizer.json leaves open. */
export interface TokenizerOptions {
  /** The text of the token between documents; found among the usual ones if not given. */
  endOfText?: string;
  /** The text of that token where no usual one is there. */
  otherEnd?: string | undefined;
  /** Ids that end what a model writes, beside those that are found. */
  ends?: readonly number[];
  /** "template": texts begin with what the post-processor's template says, with nothing where it says nothing. */
  prefix?: "template" | undefined;
  /** How many tokens the model scores, if more than the tokenizer has (a padded vocabulary). */
  modelVocab?: number;
}

/**
 * The tokenizer that a parsed tokenizer.json describes. Its prefix is that of the post-processor's template, or the
 * end of text where there is none; its ends are the end of text and the usual special tokens that end a turn.
 * @throws InputError naming the first thing that is wrong, or that is not BPE.
 */
export function loadTokenizer(json: unknown, options: TokenizerOptions = {}): Tokenizer {
  const tables = readTokenizerJson(json);
  const sought = options.endOfText === undefined ? [...endings] : [options.endOfText];
  if (options.endOfText === undefined && options.otherEnd !== undefined) sought.push(options.otherEnd);
  const ending = sought.flatMap((content) => tables.added.filter((token) => token.content === content))[0];
  if (!ending) {
    const listed = tables.added.map(({ content }) => content).join(" ") || "none";
    throw new InputError(`tokenizer: no token ${sought.join(" or ")} among the added tokens; found ${listed}`);
  }
  const { modelVocab = tables.bytes.length } = options;
  if (!(modelVocab >= tables.bytes.length)) {
    throw new InputError(`tokenizer: has ${tables.bytes.length} tokens, of which the model scores only ${modelVocab}`);
  }
  const beyond = options.ends?.find((id) => id >= modelVocab);
  if (beyond !== undefined)
    throw new InputError(`tokenizer: no token ${beyond} to end a text; there are ${modelVocab}`);
  return new BpeTokenizer(json as object, tables, {
    ...{ endOfText: ending.id, ends: options.ends ?? [], modelVocab },
    prefix: tables.prefix.length > 0 || options.prefix === "template" ? tables.prefix : [ending.id],
  });
}

/** What the tables and the options say together. */
interface Found extends Pick<Tokenizer, "endOfText" | "prefix"> {
  readonly ends: readonly number[];
  readonly modelVocab: number;
}

const noBytes = new Uint8Array(0);

class BpeTokenizer implements Tokenizer {
  readonly vocab: number;
  readonly endOfText: number;
  readonly prefix: readonly number[];
  readonly ends: ReadonlySet<number>;
  readonly special: ReadonlyMap<string, number>;
  readonly json: object;
  readonly #modelVocab: number;
  readonly #bytes: readonly Uint8Array[];
  readonly #plain: AddedTokens; // those that are not special: found in any text
  readonly #all: AddedTokens;
  readonly #normalize: Normalizer;
  readonly #cut: Pretokenizer;
  readonly #bpe: Bpe;

  constructor(json: object, tables: TokenizerTables, { endOfText, ends, prefix, modelVocab }: Found) {
    const { bytes, merges, added } = tables;
    this.json = json;
    this.vocab = bytes.length;
    this.endOfText = endOfText;
    this.special = new Map(added.filter(({ special }) => special).map(({ content, id }) => [content, id]));
    this.prefix = prefix;
    this.ends = new Set([endOfText, ...ends, ...turnEndings.flatMap((content) => this.special.get(content) ?? [])]);
    this.#modelVocab = modelVocab;
    this.#bytes = bytes;
    this.#plain = addedTokens(added.filter(({ special }) => !special));
    this.#all = addedTokens(added);
    this.#normalize = normalizer(tables.normalizer);
    this.#cut = pretokenizer(tables.pretokenizer);
    this.#bpe = new Bpe({ vocab: this.vocab, merges, ...unitsOf(tables) });
  }

  encode(text: string, { special = false } = {}): Uint32Array {
    const out = new TokenBuffer(text.length / 3);
    const visit = (piece: string) => this.#bpe.encode(piece, out);
    for (const { start, end, id } of (special ? this.#all : this.#plain)(text)) {
      if (id !== undefined) out.append([id]);
      else if (end > start) this.#cut(this.#normalize(text.slice(start, end)), visit, start === 0);
    }
    return out.toArray();
  }

  decode(ids: Iterable<number>): string {
    const parts: Uint8Array[] = [];
    let length = 0;
    for (const id of ids) {
      const part = this.bytesOf(id);
      parts.push(part);
      length += part.length;
    }
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  }

  bytesOf(id: number): Uint8Array {
    const bytes = this.#bytes[id];
    if (bytes) return bytes;
    if (Number.isInteger(id) && id >= 0 && id < this.#modelVocab) return noBytes;
    throw new InputError(`tokenizer: no token ${id}; ids are 0 to ${this.#modelVocab - 1}`);
  }
}

/** What merging begins with. A lone surrogate counts as U+FFFD, as in every UTF-8 encoder. */
function unitsOf(tables: TokenizerTables): Pick<BpeOptions, "units" | "whole"> {
  const { ids, ignoreMerges } = tables;
  const encoder = new TextEncoder();
  if (tables.units === "characters") {
    return { units: characterUnits(tables, encoder), ...(ignoreMerges && { whole: (piece) => ids.get(piece) }) };
  }
  return {
    units: byteUnits(tables, encoder),
    ...(ignoreMerges && { whole: (piece) => ids.get(spell(encoder.encode(piece))) }),
  };
}

/** The token of each byte; of one that has none the unknown one, or nothing. */
function byteUnits({ byteTokens = [], unknown }: TokenizerTables, encoder: TextEncoder): BpeOptions["units"] {
  if (!byteTokens.includes(undefined)) {
    const tokens = Uint32Array.from(byteTokens as number[]);
    return (piece) => Uint32Array.from(encoder.encode(piece), (byte) => tokens[byte] as number);
  }
  return (piece) => {
    const tokens = [...encoder.encode(piece)].map((byte) => byteTokens[byte] ?? unknown?.id);
    return Uint32Array.from(tokens.filter((id) => id !== undefined));
  };
}

/** The token of each character; of one that has none the tokens of its bytes, or the unknown one. */
function characterUnits({ ids, byteTokens, unknown }: TokenizerTables, encoder: TextEncoder): BpeOptions["units"] {
  return (piece) => {
    const tokens: number[] = [];
    let isUnknown = false; // the character before
    for (const character of piece) {
      const id = ids.get(/^[\ud800-\udfff]$/.test(character) ? "\ufffd" : character);
      const wasUnknown = isUnknown;
      isUnknown = id === undefined && byteTokens === undefined;
      if (id !== undefined) tokens.push(id);
      else if (byteTokens) for (const byte of encoder.encode(character)) tokens.push(byteTokens[byte] as number);
      else if (unknown && !(unknown.fused && wasUnknown)) tokens.push(unknown.id);
    }
    return Uint32Array.from(tokens);
  };
}
