// How a sequence's tokens are drawn from its logits: the options of the OpenAI API and vLLM's, resolved and checked.
// They take effect in the order of vLLM's v1 sampler: allowed tokens, logit bias, repetition, frequency and presence
// penalty, temperature, min-p, top-k, top-p. Knows no logits.

import { InputError } from "../error.ts";

/** How to draw. */
export interface Sampling {
  /** Logits are divided by it, 0 … 100; 0 (below 1e-5, as in vLLM) takes the most likely token, ties the lowest id. */
  readonly temperature: number;
  /** Only the k most likely tokens (of equals those with the lowest ids); 0 for all. */
  readonly topK: number;
  /** Only the fewest most likely tokens that together have this share of what min-p and top-k left; 1 for all. */
  readonly topP: number;
  /** Only tokens with at least this share of the most likely token's probability; 0 for all. */
  readonly minP: number;
  /** Divides positive and multiplies negative logits of tokens in the prompt or the output (HF); 1 for none. */
  readonly repetitionPenalty: number;
  /** Taken from the logit of every token in the output, −2 … 2 (OpenAI). */
  readonly presencePenalty: number;
  /** Taken from a token's logit for each time that it is in the output, −2 … 2 (OpenAI). */
  readonly frequencyPenalty: number;
  /** Added to logits, by token id, −100 … 100. */
  readonly logitBias: Readonly<Record<number, number>>;
  /** How many of the likeliest tokens to report beside the drawn one's log-probability, 0 … 20; undefined for none. */
  readonly logprobs: number | undefined;
  /** Fixes the draws; taken modulo 2³². */
  readonly seed: number;
}

/**
 * Resolves and checks sampling options; token ids are checked where `vocab` is given.
 * @throws InputError naming the one that is out of range.
 */
export function sampling(options: Partial<Sampling> = {}, vocab?: number): Sampling {
  const { temperature = 0.8, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1, presencePenalty = 0 } = options;
  const { frequencyPenalty = 0, logitBias = {}, logprobs, seed = 0 } = options;
  check("temperature", temperature, within(temperature, 0, 100), "from 0 (the most likely token) to 100");
  check("topK", topK, Number.isInteger(topK) && topK >= 0, "a whole number from 0 (off)");
  check("topP", topP, topP > 0 && topP <= 1, "above 0 and at most 1 (off)");
  check("minP", minP, within(minP, 0, 1), "from 0 (off) to 1");
  const finite = repetitionPenalty > 0 && repetitionPenalty < Number.POSITIVE_INFINITY;
  check("repetitionPenalty", repetitionPenalty, finite, "a number above 0; 1 is off");
  check("presencePenalty", presencePenalty, within(presencePenalty, -2, 2), "from -2 to 2; 0 is off");
  check("frequencyPenalty", frequencyPenalty, within(frequencyPenalty, -2, 2), "from -2 to 2; 0 is off");
  const last = vocab === undefined ? Number.MAX_SAFE_INTEGER : vocab - 1;
  for (const [id, bias] of Object.entries(logitBias)) {
    const token = /^\d+$/.test(id) && Number(id) <= last;
    check("logitBias", `token ${JSON.stringify(id)}`, token, `for token ids from 0${vocab ? ` to ${last}` : ""}`);
    check("logitBias", `${bias} for token ${id}`, within(bias, -100, 100), "from -100 to 100");
  }
  if (logprobs !== undefined)
    check("logprobs", logprobs, Number.isInteger(logprobs) && within(logprobs, 0, 20), "a whole number from 0 to 20");
  check("seed", seed, Number.isSafeInteger(seed), "a whole number of at most 53 bits");
  return {
    temperature,
    topK,
    topP,
    minP,
    repetitionPenalty,
    presencePenalty,
    frequencyPenalty,
    logitBias,
    logprobs,
    seed,
  };
}

function within(value: number, least: number, most: number): boolean {
  return value >= least && value <= most;
}

function check(option: keyof Sampling, found: number | string, right: boolean, rule: string): void {
  const shown = option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`); // as on the command line
  if (!right) throw InputError.at(option, `must be ${rule}, found ${found}`, { shown });
}
