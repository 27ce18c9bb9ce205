// Attention as grouped matrix products. The R = H/G query heads that share a KV head become rows of one matrix beside
// the tokens (rows are token-major), so with one KV head nothing is ever transposed.

import { type Dim, times } from "../graph/dim.ts";
import { add, matmul, reshape, transpose } from "../graph/ops.ts";
import { fixedShape, type Value } from "../graph/value.ts";
import type { ModelConfig } from "./config.ts";

/** The sizes attention needs. */
export type HeadSizes = Pick<ModelConfig, "heads" | "kvHeads" | "headDim">;

/** `[B, T, heads·D]` → `[B, G, T·R, D]`, for queries (R = heads/G) and for keys and values (R = 1). */
export function splitHeads(x: Value, heads: number, { kvHeads, headDim }: HeadSizes): Value {
  const [batch, length] = x.shape as [Dim, Dim];
  const rows = heads / kvHeads;
  const flat = times(length, rows);
  if (kvHeads === 1) return reshape(x, [batch, 1, flat, headDim]);
  const split = reshape(x, [batch, length, kvHeads, rows * headDim]);
  return reshape(transpose(split, [0, 2, 1, 3]), [batch, kvHeads, flat, headDim]);
}

/** `[B, G, T·R, D]` → `[B, T, heads·D]`: undoes `splitHeads` for `length` tokens. */
export function joinHeads(x: Value, length: Dim, { heads, kvHeads, headDim }: HeadSizes): Value {
  const [batch] = x.shape as [Dim];
  if (kvHeads === 1) return reshape(x, [batch, length, heads * headDim]);
  const split = reshape(x, [batch, kvHeads, length, (heads / kvHeads) * headDim]);
  return reshape(transpose(split, [0, 2, 1, 3]), [batch, length, heads * headDim]);
}

/** Scaled scores of every query row against every key: `[B, G, T·R, D] × [B, G, S, D] → [B, G, T·R, S]`. */
export function scaledScores(queries: Value, keys: Value, { headDim }: HeadSizes): Value {
  return matmul(queries, keys, { transB: true, alpha: 1 / Math.sqrt(headDim) });
}

/** `scores [B, G, T·R, S]` plus `mask [T, S]` (0 or −∞), the same for the R rows of a token; T, R, S are fixed. */
export function masked(scores: Value, mask: Value): Value {
  const [length, positions] = fixedShape(mask.shape, "mask") as [number, number];
  const [batch, groups, rows] = fixedShape(scores.shape, "masked scores") as [number, number, number];
  if (rows === length) return add(scores, mask);
  const byToken = reshape(scores, [batch, groups, length, rows / length, positions]);
  return reshape(add(byToken, reshape(mask, [length, 1, positions])), scores.shape);
}
