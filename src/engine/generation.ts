// Tokens after a prompt, one at a time, by a decoder and a sampler. Knows no text.

import { InputError } from "../error.ts";
import { Random } from "../tensor/random.ts";
import type { Decoder } from "./decoder.ts";
import { type Sampling, sample, sampling } from "./sampler.ts";

/** How to go on from a prompt. */
export interface GenerationOptions extends Partial<Sampling> {
  /** Most tokens to add; to the cache's end if not given. */
  maxTokens?: number;
  /** Fixes the text; 0 if not given. */
  seed?: number;
  /** The token that ends a document. */
  endOfText: number;
  signal?: AbortSignal;
}

/** Why a generation ended: the model ended its text, `maxTokens` or the cache is full, or it was stopped. */
export type FinishReason = "stop" | "length" | "abort";

/** Yields token ids after `prompt` (which must not be empty). @throws InputError where the prompt leaves no room. */
export async function* generate(
  decoder: Decoder,
  prompt: readonly number[],
  { maxTokens, seed = 0, endOfText, signal, ...rest }: GenerationOptions,
): AsyncGenerator<number, FinishReason> {
  const drawn = sampling(rest);
  const room = decoder.cache.capacity - prompt.length;
  if (room < 1) {
    throw new InputError(
      `prompt: has ${prompt.length} tokens; the model's context of ${decoder.cache.capacity} must hold one more`,
    );
  }
  const random = new Random(seed).split("sample");
  decoder.cache.clear();
  let scores = await decoder.read(prompt);
  for (let count = 0; count < Math.min(maxTokens ?? room, room); count++) {
    if (signal?.aborted) return "abort";
    const token = sample(scores, drawn, random);
    if (token === endOfText) return "stop";
    yield token;
    if (count + 1 < room) scores = await decoder.read([token]);
  }
  return "length";
}
