// How a sequence's tokens are drawn from its logits: the options of the OpenAI API and vLLM's, declared and checked.
// They take effect in the order of vLLM's v1 sampler: allowed tokens, logit bias, repetition, frequency and presence
// penalty, temperature, min-p, top-k, top-p. Knows no logits.

import { z } from "zod";
import { InputError } from "../error.ts";
import { checked, kebabCase } from "../options.ts";

/** The options. Of several programs that take them, each may narrow a range or give another default. */
export const samplingSchema = z.object({
  /** Logits are divided by it, 0 … 100; 0 (below 1e-5, as in vLLM) takes the most likely token, ties the lowest id. */
  temperature: z.number().min(0).max(100).default(0.8).describe("0 takes the likeliest token every time"),
  /** Only the k most likely tokens (of equals those with the lowest ids); 0 for all. */
  topK: z.int().min(0).default(0).describe("only the k likeliest tokens; 0 for all"),
  /** Only the fewest most likely tokens that together have this share of what min-p and top-k left; 1 for all. */
  topP: z
    .number()
    .positive()
    .max(1)
    .default(1)
    .describe("only the likeliest tokens that together have this probability"),
  /** Only tokens with at least this share of the most likely token's probability; 0 for all. */
  minP: z.number().min(0).max(1).default(0).describe("only tokens with this part of the likeliest one's probability"),
  /** Divides positive and multiplies negative logits of tokens in the prompt or the output (HF); 1 for none. */
  repetitionPenalty: z.number().positive().default(1).describe("above 1 makes what was there less likely"),
  /** Taken from the logit of every token in the output, −2 … 2 (OpenAI). */
  presencePenalty: z.number().min(-2).max(2).default(0).describe("taken from the logits of tokens already written"),
  /** Taken from a token's logit for each time that it is in the output, −2 … 2 (OpenAI). */
  frequencyPenalty: z
    .number()
    .min(-2)
    .max(2)
    .default(0)
    .describe("taken from a token's logit for each time that it was written"),
  /** Added to logits, by token id, −100 … 100. */
  logitBias: z
    .custom<Readonly<Record<number, number>>>((value) => typeof value === "object" && value !== null)
    .default({})
    .describe("added to logits, by token id"),
  /** How many of the likeliest tokens to report beside the drawn one's log-probability, 0 … 20; undefined for none. */
  logprobs: z.int().min(0).max(20).optional().describe("report log-probabilities, and of so many of the likeliest"),
  /** Fixes the draws; taken modulo 2³². */
  seed: z.int().default(0).describe("the same seed, the same text"),
});

/** How to draw. */
export type Sampling = Readonly<z.output<typeof samplingSchema>>;

/** What is right of each option, for who gave another. */
const rules: Readonly<Record<keyof Sampling, string>> = {
  temperature: "from 0 (the most likely token) to 100",
  topK: "a whole number from 0 (off)",
  topP: "above 0 and at most 1 (off)",
  minP: "from 0 (off) to 1",
  repetitionPenalty: "a number above 0; 1 is off",
  presencePenalty: "from -2 to 2; 0 is off",
  frequencyPenalty: "from -2 to 2; 0 is off",
  logitBias: "numbers by token id",
  logprobs: "a whole number from 0 to 20",
  seed: "a whole number of at most 53 bits",
};

/**
 * Resolves and checks sampling options; token ids are checked where `vocab` is given.
 * @throws InputError naming the one that is out of range.
 */
export function sampling(options: Partial<Sampling> = {}, vocab?: number): Sampling {
  const resolved = checked(samplingSchema, options, kebabCase, ({ path, input }) => {
    return `must be ${rules[path?.[0] as keyof Sampling]}, found ${input}`;
  });
  const last = vocab === undefined ? Number.MAX_SAFE_INTEGER : vocab - 1;
  for (const [id, bias] of Object.entries(resolved.logitBias)) {
    if (!/^\d+$/.test(id) || Number(id) > last) {
      throw wrongBias(`for token ids from 0${vocab ? ` to ${last}` : ""}, found token ${JSON.stringify(id)}`);
    }
    if (!(bias >= -100 && bias <= 100)) throw wrongBias(`from -100 to 100, found ${bias} for token ${id}`);
  }
  return resolved;
}

function wrongBias(problem: string): InputError {
  return InputError.at("logitBias", `must be ${problem}`, { shown: kebabCase("logitBias") });
}
