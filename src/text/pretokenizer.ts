// Cuts text into the pieces inside which byte pairs merge: GPT-2's pattern by a fast path, the patterns of other
// tokenizer.json files by the reference library, in a time that the text's length bounds. Knows no vocabulary.

import * as library from "@huggingface/tokenizers";
import { z } from "zod";
import { InputError } from "../error.ts";
import { withinTime } from "./time-limit.ts";

// The library exports these; its declarations (0.2.0) leave off the extensions by which TypeScript would find them.
const { SplitPreTokenizer, DigitsPreTokenizer } = library as unknown as Record<
  "SplitPreTokenizer" | "DigitsPreTokenizer",
  new (
    json: object,
  ) => { pre_tokenize_text(text: string): string[] }
>;

/** GPT-2's pattern, as `ByteLevel` with `use_regex` applies it. Its matches tile any text. */
export const gpt2Pattern = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** Calls `visit` with each piece of `text`, in order. */
export type Pretokenizer = (text: string, visit: (piece: string) => void) => void;

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
const step = z.discriminatedUnion("type", [byteLevel, split, digits]);
const sequence = z.looseObject({ type: z.literal("Sequence"), pretokenizers: z.array(step).min(1) });

/** The part of tokenizer.json that says how text is cut. Its last step is `ByteLevel`. */
export const pretokenizerSchema = z
  .discriminatedUnion("type", [byteLevel, sequence])
  .transform((json) => (json.type === "Sequence" ? json.pretokenizers : [json]))
  .refine((steps) => steps.at(-1)?.type === "ByteLevel", "the last step must be ByteLevel");

/** Milliseconds that somebody else's pattern may take on a text, and on each UTF-16 unit of it: far more than it needs. */
const patternMs = 2000;
const patternMsPerUnit = 0.02;

/**
 * What cuts text as `steps` say. A pattern that does not come to an end on some text throws an InputError there.
 * @throws InputError for a pattern that is none.
 */
export function pretokenizer(steps: z.output<typeof pretokenizerSchema>): Pretokenizer {
  const cut = cutterOfAll(steps);
  const patterns = steps.flatMap((json) =>
    json.type === "Split" && "Regex" in json.pattern ? [json.pattern.Regex] : [],
  );
  if (patterns.length === 0) return cut;
  return (text, visit) => {
    withinTime(
      patternMs + patternMsPerUnit * text.length,
      () => cut(text, visit),
      () =>
        new InputError(
          `tokenizer: pre_tokenizer: ${shown(patterns)} does not come to an end on a text of ${text.length} characters; the pattern cannot be used`,
        ),
    );
  };
}

function shown(patterns: readonly string[]): string {
  return JSON.stringify(patterns.join(" then ").slice(0, 200));
}

function cutterOfAll(steps: z.output<typeof pretokenizerSchema>): Pretokenizer {
  return steps.reduceRight<Pretokenizer>(
    (after, json) => {
      const cut = cutterOf(json);
      return (text, visit) => cut(text, (piece) => after(piece, visit));
    },
    (piece, visit) => visit(piece),
  );
}

function cutterOf(json: z.output<typeof step>): Pretokenizer {
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
  try {
    return new SplitPreTokenizer(json);
  } catch (cause) {
    const pattern = "Regex" in json.pattern ? json.pattern.Regex : json.pattern.String;
    throw new InputError(`tokenizer: pre_tokenizer: ${shown([pattern])}: ${(cause as Error).message}`, { cause });
  }
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
