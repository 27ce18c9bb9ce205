// The shape of a standard tokenizer.json (byte-level BPE) and the reading of it into tables. Knows no text.

import { z } from "zod";
import { InputError } from "../error.ts";
import type { Merge } from "./bpe.ts";
import { characterOf, unspell } from "./byte-alphabet.ts";
import { pretokenizerSchema } from "./pretokenizer.ts";

const form = z.looseObject({ type: z.enum(["NFC", "NFD", "NFKC", "NFKD"]) });
const normalizer = z
  .union([form, z.looseObject({ type: z.literal("Sequence"), normalizers: z.array(form) })])
  .nullish()
  .transform((json) => (json ? ("normalizers" in json ? json.normalizers : [json]) : []) as z.output<typeof form>[]);

const no = z.literal(false).optional();
const addedToken = z.looseObject({
  id: z.int().min(0),
  content: z.string().min(1),
  special: z.boolean().default(false),
  single_word: no,
  lstrip: no,
  rstrip: no,
});

const template = z.looseObject({
  type: z.literal("TemplateProcessing"),
  single: z.array(z.looseObject({ SpecialToken: z.looseObject({ id: z.string() }).optional() })),
  special_tokens: z.record(z.string(), z.looseObject({ ids: z.array(z.int().min(0)) })),
});

const schema = z.looseObject({
  added_tokens: z.array(addedToken).default([]),
  normalizer,
  pre_tokenizer: pretokenizerSchema,
  decoder: z.looseObject({ type: z.literal("ByteLevel") }),
  model: z.looseObject({
    type: z.literal("BPE").optional(),
    dropout: z.literal(0).nullish(),
    continuing_subword_prefix: z.literal("").nullish(),
    end_of_word_suffix: z.literal("").nullish(),
    byte_fallback: no,
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
  readonly byteTokens: Uint32Array;
  readonly merges: readonly Merge[];
  /** The vocabulary's tokens by spelling. */
  readonly ids: ReadonlyMap<string, number>;
  readonly added: readonly { readonly id: number; readonly content: string; readonly special: boolean }[];
  readonly normalizer: readonly string[];
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
    throw new InputError(`tokenizer: ${where}: ${issue?.message}; only byte-level BPE is read`);
  }
  const { added_tokens: added, model, normalizer, pre_tokenizer } = parsed.data;
  const ids = new Map(Object.entries(model.vocab));
  const bytes = bytesById(ids, added);

  const byteTokens = Uint32Array.from(characterOf, (character, byte) => {
    const id = ids.get(character);
    if (id === undefined) throw new InputError(`tokenizer: model.vocab: no token for byte ${byte} (${character})`);
    return id;
  });
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
    bytes,
    byteTokens,
    merges,
    ids,
    added,
    normalizer: normalizer.map(({ type }) => type),
    pretokenizer: pre_tokenizer,
    ignoreMerges: model.ignore_merges,
    prefix: prefixOf(parsed.data.post_processor, bytes.length),
  };
}

/** What the template of a post-processor, or of one of a sequence of them, puts before the text; others put nothing. */
function prefixOf(processor: unknown, vocab: number): number[] {
  const { type, processors } = (processor ?? {}) as { type?: unknown; processors?: unknown };
  if (type === "Sequence" && Array.isArray(processors)) return processors.flatMap((one) => prefixOf(one, vocab));
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

function bytesById(ids: ReadonlyMap<string, number>, added: readonly { id: number; content: string }[]): Uint8Array[] {
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
    const spelled = contents.get(id) === token ? new TextEncoder().encode(token) : unspell(token);
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
