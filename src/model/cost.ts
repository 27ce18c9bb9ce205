// What a model costs, in closed form: parameters, arithmetic, KV cache. Tests hold each number to what is allocated.

import { sizeOf } from "../tensor/tensor.ts";
import type { DecoderConfig, ModelConfig } from "./config.ts";
import { type KvFormat, kvFormats } from "./formats.ts";
import { parameters, usesOf } from "./parameters.ts";
import { owners, sourcesOf, unshared } from "./sharing.ts";

/** What fixes the size of a KV cache. */
export type KvShape = Pick<DecoderConfig, "kvHeads" | "headDim" | "sharing">;

/** The same model in which every layer keeps its own keys and values: what sharing is compared to. */
export function unsharedTwin(config: ModelConfig): ModelConfig {
  return { ...config, sharing: unshared(config.layers) };
}

/** Counts of parameters; `nonEmbedding` leaves out the embedding table and the output head. */
export function parameterCount(config: DecoderConfig): { total: number; nonEmbedding: number } {
  const counted = parameters(config).map(({ role, shape }) => ({ role, size: sizeOf(shape) }));
  const total = counted.reduce((sum, { size }) => sum + size, 0);
  const embedding = counted.reduce((sum, { role, size }) => (role === "embedding" ? sum + size : sum), 0);
  return { total, nonEmbedding: total - embedding };
}

/** Bytes of cache a token takes: KV heads × bytes of a head's elements and scale × layers that keep keys, and values (paper §2). */
export function kvBytesPerToken({ kvHeads, headDim, sharing }: KvShape, format: KvFormat): number {
  const { element, row } = kvFormats[format];
  const { keys, values } = sourcesOf(sharing);
  return kvHeads * (element * headDim + row) * (owners(keys).length + owners(values).length);
}

/**
 * Floating-point operations to process one token that attends to `positions` positions: two for each weight of a
 * matrix product, the head included, and two for each element of scores and of their weighted sum. Training takes
 * three times as many.
 */
export function flopsPerToken(config: DecoderConfig, positions: number): number {
  const { layers, heads, headDim } = config;
  const multiplied = parameters(config)
    .filter((parameter) => usesOf(config, parameter).product)
    .reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return 2 * multiplied + 4 * layers * heads * headDim * positions;
}
