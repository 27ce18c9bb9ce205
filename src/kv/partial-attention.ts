// Attention in parts: each part attends to some of a token's positions and leaves, per row, the mean of the values and
// the logarithm of the softmax's denominator; parts of the same row merge exactly (FlashDecoding; arXiv 2205.14135 §3.1).

import { add, gather, log, matmul, max, mul, reshape, softmax, sub } from "../graph/ops.ts";
import { constant } from "../graph/trace.ts";
import type { Dim, Value } from "../graph/value.ts";
import type { HeadSizes } from "../model/attention.ts";

/** What a part leaves. */
export interface Part {
  /** log Σ exp(score), `[X, G, rows, 1]`. */
  readonly logSum: Value;
  /** Σ softmax(score) · value, `[X, G, rows, D]`. */
  readonly mean: Value;
}

/** Keys `[X, G, D, S]`, positions last so that both products read them in place, and values `[X, G, S, D]`. */
export interface Positions {
  readonly keys: Value;
  readonly values: Value;
}

/** Attention of float32 `queries [X, G, rows, D]` to float32 positions; `mask` (0 or −∞) broadcasts to the scores. */
export function partOf(queries: Value, { keys, values }: Positions, mask: Value, { headDim }: HeadSizes): Part {
  const scores = add(matmul(queries, keys, { alpha: 1 / Math.sqrt(headDim) }), mask); // [X, G, rows, S]
  const weights = softmax(scores);
  return { logSum: logSum(scores, weights), mean: matmul(weights, values) };
}

// The largest weight of a row is exp(0)/Σ: log Σ exp(score) comes without a second exponential.
function logSum(scores: Value, weights: Value): Value {
  return sub(max(scores, [-1], true), log(max(weights, [-1], true)));
}

/**
 * Merges parts into each token's attention `[N, H·D]`. `logSums [rows·H]` and `means [rows·H, D]` hold all parts' rows;
 * `parts [N, P]` (int32) names the rows of each token and `mask [N, 1, 1, P]` is −∞ where a token has fewer.
 */
export function mergeParts(logSums: Value, means: Value, parts: Value, mask: Value, sizes: HeadSizes): Value {
  const { heads, headDim } = sizes;
  const [count, most] = parts.shape as [Dim, Dim];
  const whole = (shape: readonly number[], data: Int32Array) => constant({ dtype: "int32", shape, data });
  const first = mul(reshape(parts, [count, 1, most]), whole([], Int32Array.of(heads)));
  const places = add(
    first,
    whole(
      [heads, 1],
      Int32Array.from({ length: heads }, (_, head) => head),
    ),
  ); // [N, H, P]
  const weights = softmax(add(gather(logSums, reshape(places, [count, heads, 1, most])), mask)); // [N, H, 1, P]
  return reshape(matmul(weights, gather(means, places)), [count, heads * headDim]);
}
