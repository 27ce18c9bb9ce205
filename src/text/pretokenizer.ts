// Cuts text into the pieces inside which byte pairs merge: GPT-2's pattern by a fast path, the patterns of other
// tokenizer.json files by the reference library, in a time that the text's length bounds. Knows no vocabulary.

import * as library from "@huggingface/tokenizers";
import { z } from "zod";
import { readPattern, withPatterns } from "./foreign-pattern.ts";

// The library exports these; its declarations (0.2.0) leave off the extensions by which TypeScript would find them.
const { SplitPreTokenizer, DigitsPreTokenizer } = library as unknown as Record<
  "SplitPreTokenizer" | "DigitsPreTokenizer",
  new (
    json: object,
  ) => { pre_tokenize_text(text: string): string[] }
>;

/** GPT-2's pattern, as `ByteLevel` with `use_regex` applies it. Its matches tile any text. */
export const gpt2Pattern = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** Calls `visit` with each piece of `text`, in order. `isFirst` says that nothing comes before it; true if not said. */
export type Pretokenizer = (text: string, visit: (piece: string) => void, isFirst?: boolean) => void;

const byteLevel = z.looseObject({
  type: z.literal("ByteLevel"),
  add_prefix_space: z.boolean().default(false),
  use_regex: z.boolean().default(true),
});
const split = z
  .looseObject({
    type: z.literal("Split"),
    pattern: z.union([z.strictObject({ Regex: z.string() }), z.strictObject({ String: z.string() })]),
    behavior: z.enum(["Isolated", "Removed"]),
    invert: z.boolean().default(false),
  })
  .refine(({ behavior, invert }) => behavior === "Removed" || !invert, "invert goes with behavior Removed only");
const digits = z.looseObject({ type: z.literal("Digits"), individual_digits: z.boolean().default(false) });
/** SentencePiece's way with spaces: a character that can be seen in place of each, and one more before a text. */
const metaspace = z
  .looseObject({
    type: z.literal("Metaspace"),
    replacement: z.string().min(1).default("▁"),
    prepend_scheme: z.enum(["always", "first", "never"]).optional(),
    add_prefix_space: z.boolean().default(true), // older files
    split: z.boolean().default(true),
  })
  .transform(({ add_prefix_space: adds, prepend_scheme: scheme = adds ? "always" : "never", ...json }) => {
    return { ...json, prepend_scheme: scheme };
  });
const step = z.union([z.discriminatedUnion("type", [byteLevel, split, digits]), metaspace]);
const sequence = z.looseObject({ type: z.literal("Sequence"), pretokenizers: z.array(step).min(1) });

/** The part of tokenizer.json that says how text is cut: steps, the last of which is `ByteLevel` where units are bytes. */
export const pretokenizerSchema = z
  .union([step, sequence])
  .nullish()
  .transform((json): Step[] => (json ? (json.type === "Sequence" ? json.pretokenizers : [json]) : []));

type Step = z.output<typeof step>;

/**
 * What cuts text as `steps` say. It throws an InputError where a pattern does not come to an end on a text.
 * @throws InputError for a pattern that is none.
 */
export function pretokenizer(steps: z.output<typeof pretokenizerSchema>): Pretokenizer {
  const cut = cutterOfAll(steps);
  const patterns = steps.flatMap((json) =>
    json.type === "Split" && "Regex" in json.pattern ? [json.pattern.Regex] : [],
  );
  return (text, visit, isFirst) => withPatterns(patterns, text, () => cut(text, visit, isFirst));
}

function cutterOfAll(steps: z.output<typeof pretokenizerSchema>): Pretokenizer {
  return steps.reduceRight<Pretokenizer>(
    (after, json) => {
      const cut = cutterOf(json);
      return (text, visit, isFirst) => cut(text, (piece) => after(piece, visit), isFirst);
    },
    (piece, visit) => visit(piece),
  );
}

function cutterOf(json: Step): Pretokenizer {
  if (json.type === "Metaspace") return metaspaceCutter(json);
  if (json.type === "ByteLevel") {
    const cut: Pretokenizer = json.use_regex ? gpt2Pieces : (text, visit) => visit(text);
    if (!json.add_prefix_space) return cut;
    return (text, visit) => cut(text.startsWith(" ") ? text : ` ${text}`, visit);
  }
  const splitter = json.type === "Split" ? splitterOf(json) : new DigitsPreTokenizer(json);
  return (text, visit) => {
    for (const piece of splitter.pre_tokenize_text(text)) if (piece !== "") visit(piece);
  };
}

function splitterOf(json: z.output<typeof split>) {
  return readPattern("Regex" in json.pattern ? json.pattern.Regex : "", () => new SplitPreTokenizer(json));
}

function metaspaceCutter({ replacement, prepend_scheme: scheme, split }: z.output<typeof metaspace>): Pretokenizer {
  return (text, visit, isFirst = true) => {
    const spaced = text.replaceAll(" ", () => replacement);
    const isPrepended = scheme === "always" || (scheme === "first" && isFirst);
    const whole = isPrepended && !spaced.startsWith(replacement) ? replacement + spaced : spaced;
    if (!split) return visit(whole);
    for (let start = 0; start < whole.length; ) {
      const next = whole.indexOf(replacement, start + 1);
      const end = next < 0 ? whole.length : next;
      visit(whole.slice(start, end));
      start = end;
    }
  };
}

/** The pieces of GPT-2's pattern. */
export const gpt2Pieces: Pretokenizer = (text, visit) => {
  const pattern = new RegExp(gpt2Pattern); // of its own: `lastIndex` is state, and `visit` may cut another text
  let start = 0;
  while (pattern.test(text)) {
    visit(text.slice(start, pattern.lastIndex));
    start = pattern.lastIndex;
  }
};
