// What a model costs, in closed form: parameters, arithmetic, KV cache. Tests hold each number to what is allocated.

import { sizeOf } from "../tensor/tensor.ts";
import type { ModelConfig } from "./config.ts";
import { parameters } from "./parameters.ts";
import { owners } from "./sharing.ts";

/** Element types that a KV cache is reckoned in, with their bytes. */
export const kvBytesPer = { float32: 4, float16: 2 } as const;

/** Counts of parameters; `nonEmbedding` leaves out the embedding table and the output head. */
export function parameterCount(config: ModelConfig): { total: number; nonEmbedding: number } {
  const counted = parameters(config).map(({ role, shape }) => ({ role, size: sizeOf(shape) }));
  const total = counted.reduce((sum, { size }) => sum + size, 0);
  const embedding = counted.reduce((sum, { role, size }) => (role === "embedding" ? sum + size : sum), 0);
  return { total, nonEmbedding: total - embedding };
}

/** Bytes of cache a token takes: 2 (K, V) × bytes per element × KV heads × head dim × KV layers (paper §2). */
export function kvBytesPerToken(config: ModelConfig, dtype: keyof typeof kvBytesPer): number {
  return 2 * kvBytesPer[dtype] * config.kvHeads * config.headDim * owners(config.sharing).length;
}

/**
 * Floating-point operations to process one token that attends to `positions` positions: two for each weight of a
 * matrix product, the head included, and two for each element of scores and of their weighted sum. Training takes
 * three times as many.
 */
export function flopsPerToken(config: ModelConfig, positions: number): number {
  const { layers, heads, headDim, vocab, width } = config;
  const matrices = parameters(config)
    .filter(({ role }) => role === "matrix")
    .reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return 2 * (matrices + vocab * width) + 4 * layers * heads * headDim * positions;
}
