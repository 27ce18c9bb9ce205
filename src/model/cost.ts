// What a model costs, in closed form: parameters, arithmetic, KV cache. Tests hold each number to what is allocated.

import { sizeOf } from "../tensor/tensor.ts";
import type { ModelConfig } from "./config.ts";
import { type KvFormat, kvFormats } from "./formats.ts";
import { parameters, usesOf } from "./parameters.ts";
import { owners, unshared } from "./sharing.ts";

/** What fixes the size of a KV cache. */
export type KvShape = Pick<ModelConfig, "kvHeads" | "headDim" | "sharing">;

/** The same model in which every layer keeps its own keys and values: what sharing is compared to. */
export function unsharedTwin(config: ModelConfig): ModelConfig {
  return { ...config, sharing: unshared(config.layers) };
}

/** Counts of parameters; `nonEmbedding` leaves out the embedding table and the output head. */
export function parameterCount(config: ModelConfig): { total: number; nonEmbedding: number } {
  const counted = parameters(config).map(({ role, shape }) => ({ role, size: sizeOf(shape) }));
  const total = counted.reduce((sum, { size }) => sum + size, 0);
  const embedding = counted.reduce((sum, { role, size }) => (role === "embedding" ? sum + size : sum), 0);
  return { total, nonEmbedding: total - embedding };
}

/** Bytes of cache a token takes: 2 (K, V) × KV heads × bytes of a head's elements and scale × KV layers (paper §2). */
export function kvBytesPerToken({ kvHeads, headDim, sharing }: KvShape, format: KvFormat): number {
  const { element, row } = kvFormats[format];
  return 2 * kvHeads * (element * headDim + row) * owners(sharing).length;
}

/**
 * Floating-point operations to process one token that attends to `positions` positions: two for each weight of a
 * matrix product, the head included, and two for each element of scores and of their weighted sum. Training takes
 * three times as many.
 */
export function flopsPerToken(config: ModelConfig, positions: number): number {
  const { layers, heads, headDim } = config;
  const multiplied = parameters(config)
    .filter((parameter) => usesOf(config, parameter).product)
    .reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return 2 * multiplied + 4 * layers * heads * headDim * positions;
}
