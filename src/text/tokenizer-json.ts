// The shape of a standard tokenizer.json and the reading of it into tables: BPE over bytes, as GPT-2 has it, or over
// characters with tokens for the bytes of all others, as SentencePiece has it. Knows no text.

import { z } from "zod";
import { InputError } from "../error.ts";
import type { AddedToken } from "./added-tokens.ts";
import type { Merge } from "./bpe.ts";
import { characterOf, unspell } from "./byte-alphabet.ts";
import { checkedGrowth, normalizerSchema } from "./normalizer.ts";
import { pretokenizerSchema } from "./pretokenizer.ts";

/** The most characters of an added token, which a pattern looks for in every text. */
const longestAdded = 4096;

const flag = z.boolean().default(false);
const addedToken = z.looseObject({
  id: z.int().min(0),
  content: z.string().min(1).max(longestAdded),
  special: flag,
  single_word: flag,
  lstrip: flag,
  rstrip: flag,
});

const template = z.looseObject({
  type: z.literal("TemplateProcessing"),
  single: z.array(z.looseObject({ SpecialToken: z.looseObject({ id: z.string() }).optional() })),
  special_tokens: z.record(z.string(), z.looseObject({ ids: z.array(z.int().min(0)) })),
});

const step = z.looseObject({ type: z.enum(["ByteLevel", "Replace", "ByteFallback", "Fuse", "Strip", "Metaspace"]) });
const decoder = z
  .union([step, z.looseObject({ type: z.literal("Sequence"), decoders: z.array(step).min(1) })])
  .transform((json) => (json.type === "Sequence" ? (json as { decoders: Decoder[] }).decoders : [json as Decoder]));

type Decoder = z.output<typeof step>;

const schema = z.looseObject({
  added_tokens: z.array(addedToken).default([]),
  normalizer: normalizerSchema,
  pre_tokenizer: pretokenizerSchema,
  decoder,
  model: z.looseObject({
    type: z.literal("BPE").optional(),
    dropout: z.literal(0).nullish(),
    continuing_subword_prefix: z.literal("").nullish(),
    end_of_word_suffix: z.literal("").nullish(),
    byte_fallback: flag,
    unk_token: z.string().nullish(),
    fuse_unk: flag,
    ignore_merges: z.boolean().default(false),
    // Not a zod record: that would drop a token spelled `__proto__`.
    vocab: z.custom<Record<string, number>>((json) => typeof json === "object" && json !== null, "must be an object"),
    merges: z.union([z.array(z.string()), z.array(z.tuple([z.string(), z.string()]))]),
  }),
});

/** What a tokenizer.json says, checked. */
export interface TokenizerTables {
  /** The bytes of each token, by id; an added token's are its content in UTF-8. */
  readonly bytes: readonly Uint8Array[];
  /** "bytes": merges begin with the bytes of a text. "characters": with its characters. */
  readonly units: "bytes" | "characters";
  /**
   * The token of each byte. Where merges begin with bytes, those that are in no text of its makers' may have none; where
   * they begin with characters, all have one, or there are none.
   */
  readonly byteTokens: readonly (number | undefined)[] | undefined;
  /** The token that stands for what has no other, and whether it stands for several in a row. */
  readonly unknown: { readonly id: number; readonly fused: boolean } | undefined;
  readonly merges: readonly Merge[];
  /** The vocabulary's tokens by spelling. */
  readonly ids: ReadonlyMap<string, number>;
  readonly added: readonly AddedToken[];
  readonly normalizer: z.output<typeof normalizerSchema>;
  readonly pretokenizer: z.output<typeof pretokenizerSchema>;
  /** A piece that is a token is taken whole. */
  readonly ignoreMerges: boolean;
  /** The ids that the post-processor's template puts before a text. */
  readonly prefix: readonly number[];
}

/**
 * Reads a tokenizer.json.
 * @throws InputError naming the first thing that is wrong.
 */
export function readTokenizerJson(json: unknown): TokenizerTables {
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join(".") || "json";
    throw new InputError(`tokenizer: ${where}: ${issue?.message}; only BPE, by bytes or by characters, is read`);
  }
  const { added_tokens: added, model, normalizer, pre_tokenizer } = parsed.data;
  const ids = new Map(Object.entries(model.vocab));
  const fail = (problem: string) => new InputError(`tokenizer: ${problem}`);
  const units = unitsOf(parsed.data, fail);
  const spelled = units === "bytes" ? unspell : characterSpelling(parsed.data.decoder, model.byte_fallback);
  const bytes = bytesById(ids, added, spelled);

  const byteNames = units === "bytes" ? characterOf : Array.from({ length: 256 }, (_, byte) => byteToken(byte));
  const byteIds = byteNames.map((name) => ids.get(name));
  const hasBytes = units === "bytes" || (model.byte_fallback && !byteIds.includes(undefined));
  const unknown = model.unk_token == null ? undefined : ids.get(model.unk_token);
  const merges = model.merges.map((merge, rank): Merge => {
    const [left = "", right = "", ...rest] = typeof merge === "string" ? merge.split(" ") : merge;
    const found = [left, right, left + right].map((token) => {
      const id = ids.get(token);
      if (id === undefined || rest.length > 0) {
        throw new InputError(
          `tokenizer: model.merges.${rank}: ${JSON.stringify(merge)}: ${JSON.stringify(token)} is not in the vocabulary`,
        );
      }
      return id;
    });
    return { left: found[0] as number, right: found[1] as number, result: found[2] as number };
  });
  return {
    ...{ bytes, units },
    byteTokens: hasBytes ? byteIds : undefined,
    unknown: unknown === undefined ? undefined : { id: unknown, fused: model.fuse_unk },
    merges,
    ids,
    added,
    normalizer,
    pretokenizer: pre_tokenizer,
    ignoreMerges: model.ignore_merges,
    prefix: prefixOf(parsed.data.post_processor, bytes.length),
  };
}

/** Bytes or characters; the parts of a tokenizer.json must agree in it. */
function unitsOf(
  { pre_tokenizer, decoder, model }: z.output<typeof schema>,
  fail: (problem: string) => InputError,
): TokenizerTables["units"] {
  const cuts = pre_tokenizer.at(-1)?.type === "ByteLevel";
  const joins = decoder.some(({ type }) => type === "ByteLevel");
  if (cuts !== joins) throw fail("pre_tokenizer and decoder must both end in ByteLevel, or neither");
  if (cuts && decoder.length > 1) throw fail("decoder: nothing goes with ByteLevel");
  if (cuts && model.byte_fallback) throw fail("model.byte_fallback: is not for ByteLevel, which has all bytes");
  return cuts ? "bytes" : "characters";
}

/** What a vocabulary of SentencePiece calls a byte. */
const byteToken = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;

/** The bytes of a vocabulary's entry: one byte, or its characters, of which some stand for spaces. */
function characterSpelling(decoders: readonly Decoder[], byteFallback: boolean): (token: string) => Uint8Array {
  const bytes = new Map(Array.from({ length: 256 }, (_, byte) => [byteToken(byte), byte]));
  const replaced = decoders.flatMap(({ type, pattern, content, replacement }): [string, string][] => {
    if (type === "Metaspace") return [[typeof replacement === "string" ? replacement : "▁", " "]];
    const from = (pattern as { String?: unknown } | undefined)?.String;
    return type === "Replace" && typeof from === "string" ? [[from, String(content)]] : [];
  });
  return (token) => {
    const byte = byteFallback ? bytes.get(token) : undefined;
    if (byte !== undefined) return Uint8Array.of(byte);
    const spelled = replaced.reduce(
      (text, [from, to]) =>
        checkedGrowth(
          "decoder",
          token,
          text.replaceAll(from, () => to),
        ),
      token,
    );
    return new TextEncoder().encode(spelled);
  };
}

/** How deep post-processors are nested at most: real ones are a sequence of some, once. */
const deepestProcessor = 8;

/** What the template of a post-processor, or of one of a sequence of them, puts before the text; others put nothing. */
function prefixOf(processor: unknown, vocab: number, depth = 0): number[] {
  if (depth > deepestProcessor) throw new InputError("tokenizer: post_processor: is nested too deep; is it damaged?");
  const { type, processors } = (processor ?? {}) as { type?: unknown; processors?: unknown };
  if (type === "Sequence" && Array.isArray(processors)) {
    return processors.flatMap((one) => prefixOf(one, vocab, depth + 1));
  }
  if (type !== "TemplateProcessing") return [];
  const parsed = template.safeParse(processor);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new InputError(`tokenizer: post_processor.${issue?.path.join(".")}: ${issue?.message}`);
  }
  const { single, special_tokens } = parsed.data;
  const text = single.findIndex(({ SpecialToken }) => SpecialToken === undefined);
  const before = single.slice(0, Math.max(0, text)).map(({ SpecialToken }) => SpecialToken?.id as string);
  return before.flatMap((name) => {
    const ids = Object.hasOwn(special_tokens, name) ? special_tokens[name]?.ids : undefined;
    if (ids?.every((id) => id < vocab)) return ids;
    throw new InputError(`tokenizer: post_processor: ${JSON.stringify(name)} is not a token of the ${vocab} there are`);
  });
}

function bytesById(
  ids: ReadonlyMap<string, number>,
  added: readonly AddedToken[],
  spelling: (token: string) => Uint8Array | undefined,
): Uint8Array[] {
  const vocab = new Set([...ids.values(), ...added.map(({ id }) => id)]).size;
  const bytes: Uint8Array[] = new Array(vocab);
  const contents = new Map(added.map(({ id, content }) => [id, content]));
  for (const [token, id] of ids) {
    if (!Number.isInteger(id) || id < 0 || id >= vocab) {
      throw new InputError(
        `tokenizer: model.vocab: ${JSON.stringify(token)} has id ${id}; ${vocab} tokens need ids 0 to ${vocab - 1}`,
      );
    }
    if (bytes[id]) throw new InputError(`tokenizer: model.vocab: id ${id} is given twice; every token needs its own`);
    const spelled = contents.get(id) === token ? new TextEncoder().encode(token) : spelling(token);
    if (!spelled) {
      throw new InputError(`tokenizer: model.vocab: ${JSON.stringify(token)} (id ${id}) is not byte-level`);
    }
    bytes[id] = spelled;
  }
  for (const { id, content } of added) {
    const other = ids.get(content);
    if (id >= vocab || (other !== undefined && other !== id) || (other === undefined && bytes[id])) {
      throw new InputError(
        `tokenizer: added_tokens: ${JSON.stringify(content)} has id ${id}, which ${other === undefined ? `is another token's or leaves a gap below it (${vocab} tokens)` : `differs from its id ${other} in the vocabulary`}`,
      );
    }
    bytes[id] = new TextEncoder().encode(content);
  }
  return bytes;
}
