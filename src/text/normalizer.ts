// What a tokenizer.json does to text before it is cut: Unicode forms, and how SentencePiece writes spaces. Knows no tokens.

import { z } from "zod";
import { InputError } from "../error.ts";
import { readPattern, withPatterns } from "./foreign-pattern.ts";

/** The most characters that a step puts in one place. */
const longestContent = 256;

/** How far a text may grow: Unicode makes 18 characters of one at most, and pieces of words are short. */
const [mostGrowth, freeGrowth] = [64, 4096];

const form = z.looseObject({ type: z.enum(["NFC", "NFD", "NFKC", "NFKD"]) });
const lowercase = z.looseObject({ type: z.literal("Lowercase") });
const prepend = z.looseObject({ type: z.literal("Prepend"), prepend: z.string().max(longestContent) });
const pattern = z.union([z.strictObject({ String: z.string().min(1) }), z.strictObject({ Regex: z.string().min(1) })]);
const replace = z.looseObject({ type: z.literal("Replace"), pattern, content: z.string().max(longestContent) });
const strip = z.looseObject({
  ...{ type: z.literal("Strip"), strip_left: z.boolean().default(true), strip_right: z.boolean().default(true) },
});
const step = z.discriminatedUnion("type", [form, lowercase, prepend, replace, strip]);

/** The part of tokenizer.json that says how text is normalised. */
export const normalizerSchema = z
  .union([step, z.looseObject({ type: z.literal("Sequence"), normalizers: z.array(step) })])
  .nullish()
  .transform((json) => (json ? (json.type === "Sequence" ? json.normalizers : [json]) : []) as Step[]);

type Step = z.output<typeof step>;

/** Normalises a text between added tokens. */
export type Normalizer = (text: string) => string;

/**
 * What normalises as `steps` say. It throws an InputError where a pattern does not come to an end on a text.
 * @throws InputError for a pattern that is none.
 */
export function normalizer(steps: readonly Step[]): Normalizer {
  const all = steps.map(normalizerOf);
  const patterns = steps.flatMap((json) =>
    json.type === "Replace" && "Regex" in json.pattern ? [json.pattern.Regex] : [],
  );
  return (text) =>
    withPatterns(patterns, text, () =>
      all.reduce((part, normalize) => checkedGrowth("normalizer", text, normalize(part)), text),
    );
}

/** What was made of a text. @throws InputError where it is far longer, as by steps that double it each. */
export function checkedGrowth(maker: string, text: string, made: string): string {
  if (made.length <= mostGrowth * text.length + freeGrowth) return made;
  throw new InputError(
    `tokenizer: ${maker}: makes ${made.length} characters of ${text.length}; the tokenizer cannot be used`,
  );
}

function normalizerOf(json: Step): Normalizer {
  switch (json.type) {
    case "Lowercase":
      return (text) => text.toLowerCase();
    case "Prepend":
      return (text) => (text === "" ? "" : json.prepend + text);
    case "Replace": {
      const from =
        "String" in json.pattern
          ? json.pattern.String
          : readPattern(json.pattern.Regex, (regex) => new RegExp(regex, "gu"));
      return (text) => text.replaceAll(from, () => json.content);
    }
    case "Strip":
      return (text) => {
        const start = json.strip_left ? text.trimStart() : text;
        return json.strip_right ? start.trimEnd() : start;
      };
    default:
      return (text) => text.normalize(json.type);
  }
}
