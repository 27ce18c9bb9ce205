// Causal attention in one operation, for runtimes that have it in one kernel. On the CPU models write it out in blocks.

import { node } from "../trace.ts";
import { type Dim, describe, sameShape, type Value } from "../value.ts";

/**
 * softmax(scale · q·kᵀ) · v, where token t attends to tokens 0 … t: `queries [B, T, H, D]`, `keys` and `values
 * [B, T, G, D]` give `[B, T, H, D]`. KV head g serves query heads g·H/G … (g + 1)·H/G − 1. Its second output, log Σ eˢ of
 * each row, float32 `[B, H, T]`, is what the gradient needs to compute the weights again (FlashAttention, arXiv
 * 2205.14135).
 */
export function causalAttention(queries: Value, keys: Value, values: Value, scale: number): Value {
  const operands = [queries, keys, values] as const;
  const [batch, length, heads, width] = queries.shape as [Dim, Dim, Dim, Dim];
  const groups = keys.shape[2] as Dim;
  const suits =
    operands.every(({ shape, dtype }) => shape.length === 4 && dtype === queries.dtype) &&
    sameShape(keys.shape, values.shape) &&
    sameShape(keys.shape, [batch, length, groups, width]) &&
    typeof heads === "number" &&
    typeof groups === "number" &&
    heads % groups === 0;
  if (!suits) {
    throw new TypeError(
      `causalAttention: needs [B, T, H, D] and twice [B, T, G, D], H a multiple of G, found ${operands.map(describe).join(", ")}`,
    );
  }
  const statistics = { dtype: "float32", shape: [batch, heads, length] } as const;
  return node("causalAttention", operands, { scale }, [queries, statistics]).outputs[0];
}

/** The gradients of queries, keys and values, from that of the output and what `causalAttention` read and gave. */
export function causalAttentionGrad(
  [queries, keys, values]: readonly [Value, Value, Value],
  [output, statistics]: readonly [Value, Value],
  gradient: Value,
  scale: number,
): readonly [Value, Value, Value] {
  const reads = [queries, keys, values, output, statistics, gradient] as const;
  return node("causalAttentionGrad", reads, { scale }, [queries, keys, values]).outputs;
}
