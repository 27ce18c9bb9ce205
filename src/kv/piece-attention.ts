// Attention to 8-bit keys and values in pieces. A piece holds the positions of one block, which lie in a pool or were
// computed in this step. Products are of whole numbers and a piece has one scale, so a piece gives a token the same bits
// whether its text was read at once, found in the cache, or written token by token. Pieces merge by their softmax
// denominators (arXiv 2205.14135 §3.1), in the order of their positions.

import { type Dim, times } from "../graph/dim.ts";
import {
  add,
  cast,
  concat,
  div,
  exp,
  gather,
  integerMatmul,
  matmul,
  max,
  mul,
  reshape,
  slice,
  softmax,
  sub,
  transpose,
} from "../graph/ops.ts";
import { constant, float } from "../graph/trace.ts";
import type { Value } from "../graph/value.ts";
import type { HeadSizes } from "../model/attention.ts";
import { type IntegerRows, integerProduct, positiveRows, type Rounding } from "../model/integer-rows.ts";

/**
 * A piece of S positions, or c of them one after another: int8 keys `[X, G, D, c·S]` with float32 scales of keys and
 * values `[X, G, 1, c·S]`, and int8 values `[X, G, S, D]`, or `[X, G, c, S, D]` where there is a `count` c.
 */
export interface Pieces {
  readonly count?: Dim;
  readonly keys: Value;
  readonly values: Value;
  readonly scales: { readonly keys: Value; readonly values: Value };
}

/** What rows of queries get from pieces. */
export interface Attended {
  /** Σ exp(score − top) · value, `[…, D]`. */
  readonly sums: Value;
  /** Σ exp(score − top), and top, the highest score: `[…, 2]`. */
  readonly weights: Value;
}

/**
 * What rows `[X, G, M, D]` of queries get from a piece, `[X, G, M, …]`, or from each of several, `[X, G, c, M, …]`. `mask`
 * (0 or −∞) broadcasts to the scores `[X, G, M, c·S]`. A row that sees nothing of a piece gets what is no number; no token
 * merges it.
 */
export function attendPieces(
  queries: IntegerRows,
  { count, keys, values, scales }: Pieces,
  rounding: Rounding,
  mask?: Value,
): Attended {
  const seen = mul(integerProduct(queries, keys), scales.keys); // queries' scales hold 1/√D
  const scores = mask ? add(seen, mask) : seen;
  const [outer, kvHeads, rows] = scores.shape as [Dim, Dim, Dim, Dim];
  const size = values.shape.at(-2) as number;
  const inPieces = (x: Value) => (count ? reshape(x, [outer, kvHeads, rows, count, size]) : x); // [X, G, M, c, S]
  const pieceFirst = (x: Value) => (count ? transpose(x, [0, 1, 3, 2, 4]) : x);
  const byPiece = inPieces(scores);
  const weights = softmax(byPiece);
  const { codes, largest, step, zero } = positiveRows(
    inPieces(mul(reshape(weights, scores.shape), scales.values)),
    rounding,
  );
  const totals = div(float(1), max(weights, [-1], true)); // the largest weight is exp(0)/Σ
  const factors = mul(pieceFirst(mul(largest, totals)), step); // a product's last factor is what runtimes fuse with it
  return {
    sums: mul(cast(integerMatmul(pieceFirst(codes), values, zero), "float32"), factors),
    weights: pieceFirst(concat([totals, max(byPiece, [-1], true)], byPiece.shape.length - 1)),
  };
}

/** What each token gets from itself: `queries [N, G, R, D]`, float32 `keys` and `values [N, G, 1, D]`; `ones [N, G, R, 1]`. */
export function attendSelf(queries: Value, keys: Value, values: Value, ones: Value): Attended {
  const tops = matmul(queries, keys, { transB: true, alpha: 1 / Math.sqrt(queries.shape.at(-1) as number) });
  return { sums: mul(values, ones), weights: concat([ones, tops], 3) };
}

/**
 * Merges what tokens got into each token's attention `[N, H·D]`. `attended` holds all rows, `[rows, G, R, …]`;
 * `pieces [N, P]` (int32) names the rows of each token and `mask [N, 1, 1, P]` is −∞ where a token has fewer. P is a
 * multiple of 4: products over it add four at a time.
 */
export function mergePieces(attended: Attended, pieces: Value, mask: Value, { heads, headDim }: HeadSizes): Value {
  const [count, most] = pieces.shape as [Dim, Dim];
  const whole = (shape: readonly number[], data: Int32Array) => constant({ dtype: "int32", shape, data });
  const first = mul(reshape(pieces, [count, 1, most]), whole([], Int32Array.of(heads)));
  const head = whole(
    [heads, 1],
    Int32Array.from({ length: heads }, (_, head) => head),
  );
  const places = add(first, head); // [N, H, P]
  const all = times(attended.sums.shape[0] as Dim, heads);
  const numbers = transpose(gather(reshape(attended.weights, [all, 2]), places), [0, 1, 3, 2]); // [N, H, 2, P]
  const tops = add(slice(numbers, 2, 1, 2), mask); // [N, H, 1, P]
  const factors = exp(sub(tops, max(tops, [-1], true)));
  const totals = reshape(slice(numbers, 2, 0, 1), [count, heads, most, 1]);
  const sums = gather(reshape(attended.sums, [all, headDim]), places); // [N, H, P, D]
  return reshape(matmul(div(factors, matmul(factors, totals)), sums), [count, heads * headDim]);
}
