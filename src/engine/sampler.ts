// The next token from its scores: temperature, top-k, top-p (nucleus, arXiv 1904.09751), in that order, then a draw.

import { InputError } from "../error.ts";
import type { Random } from "../tensor/random.ts";

/** How to draw. */
export interface Sampling {
  /** Scores are divided by it; 0 takes the most likely token. */
  readonly temperature: number;
  /** Only the k most likely tokens; 0 for all. */
  readonly topK: number;
  /** Only the most likely tokens that together have this probability; 1 for all. */
  readonly topP: number;
}

/** Resolves and checks sampling options. @throws InputError naming the one that is out of range. */
export function sampling({ temperature = 0.8, topK = 0, topP = 1 }: Partial<Sampling> = {}): Sampling {
  if (!(temperature >= 0 && temperature <= 100))
    throw new InputError(`temperature: must be from 0 to 100, found ${temperature}`);
  if (!(Number.isInteger(topK) && topK >= 0))
    throw new InputError(`top-k: must be a whole number from 0 (off), found ${topK}`);
  if (!(topP > 0 && topP <= 1)) throw new InputError(`top-p: must be above 0 and at most 1 (off), found ${topP}`);
  return { temperature, topK, topP };
}

/** Draws a token from `scores [V]`; ties and order are fixed, so a seed fixes the text. */
export function sample(scores: Float32Array, { temperature, topK, topP }: Sampling, random: Random): number {
  const order = Array.from(scores.keys());
  if (temperature === 0) return order.reduce((best, token) => (at(scores, token) > at(scores, best) ? token : best), 0);
  order.sort((a, b) => at(scores, b) - at(scores, a) || a - b);
  const kept = topK > 0 ? order.slice(0, topK) : order;
  const top = at(scores, kept[0] as number);
  const weights = kept.map((token) => Math.exp((at(scores, token) - top) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let [count, mass] = [0, 0];
  while (count < kept.length && mass < topP * total) mass += weights[count++] as number;
  let draw = random.uniform() * mass;
  for (let i = 0; i < count; i++) {
    draw -= weights[i] as number;
    if (draw < 0) return kept[i] as number;
  }
  return kept[Math.max(0, count - 1)] as number;
}

function at(scores: Float32Array, token: number): number {
  return scores[token] as number;
}
