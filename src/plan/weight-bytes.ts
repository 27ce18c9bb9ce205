// What a model's weights take in memory, by how they are kept. In 8 and 4 bits only what rows are multiplied by is
// rounded, in blocks with a scale each, as src/model/quantized-weights.ts does it; tests hold the two to each other.

import { quantizedBlock } from "../graph/ops.ts";
import type { ModelConfig } from "../model/config.ts";
import { headName, type Parameter, parameters } from "../model/parameters.ts";
import { sizeOf } from "../tensor/tensor.ts";

/** How weights can be kept, and the bits of a number. */
export const weightBits = { float32: 32, float16: 16, int8: 8, int4: 4 } as const;
export type WeightDtype = keyof typeof weightBits;

/** A tensor in memory. */
export interface KeptTensor {
  /** Its parameter's name; a rounded copy of a tied embedding table is `head`. */
  readonly name: string;
  readonly shape: readonly number[];
  /** In blocks of whole numbers with float32 scales, not as floating point. */
  readonly rounded: boolean;
}

/** The tensors that a model is served from. Where a tied embedding table is rounded it is there twice. */
export function keptTensors(config: ModelConfig, dtype: WeightDtype): KeptTensor[] {
  const integers = weightBits[dtype] <= 8;
  const kept = ({ name, shape, role }: Parameter) => ({
    name,
    shape,
    rounded: integers && (role === "matrix" || (role === "embedding" && name !== "embed")),
  });
  const tensors = parameters(config).map(kept);
  if (!integers || headName(config) !== "embed") return tensors;
  return [...tensors, { name: "head", shape: [config.vocab, config.width], rounded: true }];
}

/**
 * Bytes of a tensor. Rounded: for each row ⌈inputs / 32⌉ blocks, the last one filled up, each with a float32 scale and
 * no zero point; two numbers to a byte in 4 bits. What is not rounded stays float32 in a model of whole numbers.
 */
export function tensorBytes({ shape, rounded }: KeptTensor, dtype: WeightDtype): number {
  const bits = weightBits[dtype];
  if (!rounded) return sizeOf(shape) * (bits <= 8 ? 4 : bits / 8);
  const [outputs, inputs] = shape as readonly [number, number];
  return outputs * Math.ceil(inputs / quantizedBlock) * ((quantizedBlock * bits) / 8 + 4);
}

/** Bytes of all weights on one device. */
export function weightBytes(config: ModelConfig, dtype: WeightDtype): number {
  return keptTensors(config, dtype).reduce((sum, tensor) => sum + tensorBytes(tensor, dtype), 0);
}
