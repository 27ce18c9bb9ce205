// Log-probabilities of tokens under the model's own distribution, the logits as given. Knows no sampling.

import { exponential } from "./distribution.ts";

/** Of the token drawn, and of the likeliest tokens, likeliest first; none of probability 0. */
export interface LogProbabilities {
  readonly logprob: number;
  readonly top: readonly { readonly token: number; readonly logprob: number }[];
}

/** Log-softmax at `token` and at the `count` likeliest tokens (ties: lower ids first). */
export function logProbabilities(logits: Float32Array, token: number, count: number): LogProbabilities {
  let peak = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) if (logits[i]! > peak) peak = logits[i]!;
  const likeliest: number[] = [];
  let [sum, least] = [0, count > 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY];
  for (let i = 0; i < logits.length; i++) {
    const x = logits[i]!;
    sum += exponential(x - peak);
    if (!(x > least)) continue;
    let place = likeliest.length;
    while (place > 0 && logits[likeliest[place - 1]!]! < x) place--;
    likeliest.splice(place, 0, i);
    if (likeliest.length > count) likeliest.pop();
    if (likeliest.length === count) least = logits[likeliest[count - 1]!]!;
  }
  const all = peak + Math.log(sum);
  const logprob = (i: number) => logits[i]! - all;
  return { logprob: logprob(token), top: likeliest.map((i) => ({ token: i, logprob: logprob(i) })) };
}
