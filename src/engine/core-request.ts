// What an engine core is asked for, and whether it can ever be done: tokens of the vocabulary, as many as fit.

import { InputError } from "../error.ts";
import type { Constraint } from "../grammar/grammar.ts";
import type { KvMemory } from "../kv/kv-memory.ts";
import type { ModelConfig } from "../model/config.ts";
import type { Sampling } from "../sampling/sampling.ts";

/** A sequence to go on with. */
export interface CoreRequest {
  readonly prompt: ArrayLike<number>;
  /** Most tokens to add; what context and memory hold if not given. */
  readonly maxTokens?: number;
  readonly sampling?: Partial<Sampling>;
  /** Tokens that end it; they are not emitted. */
  readonly stopTokens?: readonly number[];
  /** What it may say. */
  readonly constraint?: Constraint;
  /**
   * Report log-probabilities of the prompt's own tokens, and of so many of the likeliest at their places. `maxTokens` may then
   * be 0, and a stop token that ends it is reported.
   */
  readonly promptLogprobs?: number;
}

/** What a request must fit: a model, and a memory that may come to have `most` blocks. */
export interface RequestLimits {
  readonly config: Pick<ModelConfig, "context" | "vocab">;
  readonly memory: Pick<KvMemory, "bytes" | "blocks" | "blockSize">;
  readonly most: number;
}

/** Checks a prompt and the number of tokens to add, `fewest` at least. @throws InputError, with the numbers. */
export function checkRequest(
  prompt: ArrayLike<number>,
  maxTokens: number | undefined,
  fewest: number,
  { config: { context, vocab }, memory: { bytes, blocks, blockSize }, most }: RequestLimits,
): void {
  if (prompt.length === 0) throw InputError.at("prompt", "has no tokens; it needs one at least");
  for (let i = 0; i < prompt.length; i++) {
    const token = prompt[i] as number;
    if (!(Number.isInteger(token) && token >= 0 && token < vocab)) {
      throw InputError.at("prompt", `token ${i} is ${token}; ids are 0 to ${vocab - 1}`);
    }
  }
  if (maxTokens !== undefined && !(Number.isInteger(maxTokens) && maxTokens >= fewest)) {
    throw InputError.at("maxTokens", `must be a whole number from ${fewest}, found ${maxTokens}`);
  }
  const wanted = prompt.length + (maxTokens ?? 1);
  const asked = maxTokens === undefined ? "must hold one more" : `must hold ${maxTokens} more (maxTokens)`;
  const mentions = maxTokens === undefined ? [] : ["maxTokens"];
  const tooLong = (problem: string) => InputError.at("prompt", problem, { mentions, code: "context_length_exceeded" });
  if (wanted > context) throw tooLong(`has ${prompt.length} tokens; the model's context of ${context} ${asked}`);
  const longest = Math.min(context, most * blockSize);
  if (wanted > longest) {
    throw tooLong(
      `has ${prompt.length} tokens; the cache of ${(bytes / blocks) * most} bytes holds ${most} blocks of ${blockSize} tokens, ${longest} in all, and ${asked}`,
    );
  }
}
