// The tokenizer inside a GGUF file as a tokenizer.json: byte-level BPE with its merges, or SentencePiece with its scores.

import { InputError } from "../error.ts";
import type { Json } from "./json.ts";
import { type Piece, tokenizerOfPieces } from "./sentence-pieces.ts";
import { beginsWith, plainAdded } from "./tokenizer-parts.ts";

const gpt2 = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
const bytes = { ...gpt2, use_regex: false };
const digits = { type: "Digits", individual_digits: true };
const wordsWith = (numbers: string) =>
  `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${numbers}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
const split = (pattern: string) => ({
  type: "Sequence",
  pretokenizers: [{ type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false }, bytes],
});

/** How text is cut, by what llama.cpp calls it (`tokenizer.ggml.pre`; llama-vocab.cpp has the patterns). */
const pretokenizers: Readonly<Record<string, object>> = {
  "gpt-2": gpt2,
  ...{ "llama-bpe": split(wordsWith("\\p{N}{1,3}")), llama3: split(wordsWith("\\p{N}{1,3}")) },
  ...{ "smaug-bpe": split(wordsWith("\\p{N}{1,3}")), qwen2: split(wordsWith("\\p{N}")) },
  ...{ smollm: { type: "Sequence", pretokenizers: [digits, gpt2] } },
  ...{ starcoder: { type: "Sequence", pretokenizers: [digits, gpt2] } },
};

/** Kinds of tokens, by llama.cpp's numbers: 1 is a plain one, 4 one that a user added. */
const kinds: Readonly<Record<number, Piece["kind"]>> = { 2: "special", 3: "special", 5: "unused", 6: "byte" };

/** The tokenizer.json that a file's metadata describes. @throws InputError naming what is missing or not known. */
export function ggufTokenizer(file: string, metadata: Json): object {
  const fail = (problem: string) => new InputError(`${file}: tokenizer.ggml.${problem}`);
  const list = <T>(key: string, type: string): T[] => {
    const found = metadata[`tokenizer.ggml.${key}`];
    if (Array.isArray(found) && found.every((one) => typeof one === type)) return found;
    throw fail(`${key} must be a list; is there no tokenizer in the file?`);
  };
  const texts = list<string>("tokens", "string");
  const types = metadata["tokenizer.ggml.token_type"] === undefined ? [] : list<number>("token_type", "number");
  const id = (key: string): number | undefined => {
    const found = metadata[`tokenizer.ggml.${key}_token_id`];
    return typeof found === "number" && found < texts.length ? found : undefined;
  };
  const flag = (key: string, otherwise: boolean) => (metadata[`tokenizer.ggml.${key}`] ?? otherwise) === true;
  const model = metadata["tokenizer.ggml.model"];
  if (model === "llama") {
    const scores = list<number>("scores", "number");
    const pieces = texts.map((text, i): Piece => {
      return { text, score: scores[i] ?? 0, kind: kinds[types[i] ?? 1] ?? "normal" };
    });
    const begin = flag("add_bos_token", true) ? id("bos") : undefined;
    return tokenizerOfPieces(pieces, { unknown: id("unknown"), begin, spaceBefore: flag("add_space_prefix", true) });
  }
  if (model !== "gpt2") throw fail(`model ${JSON.stringify(model)} is not read; read are "gpt2" and "llama"`);
  const pre = String(metadata["tokenizer.ggml.pre"] ?? "gpt-2");
  const cut = Object.hasOwn(pretokenizers, pre) ? pretokenizers[pre] : undefined;
  if (!cut) {
    const known = Object.keys(pretokenizers).join(", ");
    throw fail(`pre "${pre}" is not known, known are ${known}; give the model's tokenizer.json with --tokenizer`);
  }
  const begin = flag("add_bos_token", pre === "llama-bpe" || pre === "llama3") ? id("bos") : undefined;
  return byteLevelTokenizer({
    texts,
    types,
    merges: list("merges", "string"),
    cut,
    begin,
    ignoreMerges: pre.startsWith("llama"),
  });
}

interface ByteLevel {
  readonly texts: readonly string[];
  readonly types: readonly number[];
  readonly merges: readonly string[];
  readonly cut: object;
  readonly begin: number | undefined;
  readonly ignoreMerges: boolean;
}

function byteLevelTokenizer({ texts, types, merges, cut, begin, ignoreMerges }: ByteLevel): object {
  const added_tokens = texts.flatMap((content, id) => {
    const special = kinds[types[id] ?? 1] === "special";
    return special || types[id] === 4 ? [{ id, content, ...plainAdded, special }] : [];
  });
  const text = begin === undefined ? undefined : texts[begin];
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens,
    normalizer: null,
    pre_tokenizer: cut,
    post_processor: begin === undefined || text === undefined ? bytes : beginsWith(begin, text),
    decoder: bytes,
    model: {
      ...{ type: "BPE", dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null },
      ...{ fuse_unk: false, byte_fallback: false, ignore_merges: ignoreMerges },
      vocab: Object.fromEntries(texts.map((token, id) => [token, id])),
      merges,
    },
  };
}
