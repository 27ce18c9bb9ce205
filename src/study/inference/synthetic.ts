// Weights and caches of random numbers, for measuring speed: what a model has learnt does not change how fast it is.

import { fixedShape, type Type } from "../../graph/value.ts";
import type { ModelConfig } from "../../model/config.ts";
import { parameters } from "../../model/parameters.ts";
import { Random } from "../../tensor/random.ts";
import { sizeOf, type Tensor, type Tensors } from "../../tensor/tensor.ts";

/** Random numbers are drawn once, so many of them, and read from another place for every tensor. */
const tableSize = 1 << 18;

function table(seed: number): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: tableSize }, () => random.normal());
}

function fill(data: Float32Array, from: Float32Array, start: number, scale: number): Float32Array {
  for (let i = 0; i < data.length; i++) data[i] = scale * (from[(start + i) % tableSize] as number);
  return data;
}

/** Weights with the deviations that training starts from; quick to make. */
export function randomWeights(config: ModelConfig, seed = 1): Tensors {
  const normal = table(seed);
  return Object.fromEntries(
    parameters(config).map(({ name, shape, init }, i) => {
      const data = new Float32Array(sizeOf(shape));
      if ("value" in init) data.fill(init.value);
      else fill(data, normal, i * 7919, init.std);
      return [name, { dtype: "float32", shape, data }];
    }),
  );
}

/** Rows of `count` tokens, of the types that a serving store's outputs have: float32, or 8-bit codes and their scales. */
export function randomRows(types: Readonly<Record<string, Type>>, count: number, seed = 2): Tensors {
  const normal = table(seed);
  return Object.fromEntries(
    Object.entries(types).map(([name, { dtype, shape }], i): [string, Tensor] => {
      const rows = [count, ...fixedShape(shape.slice(1), name)];
      const size = sizeOf(rows);
      if (dtype === "float16") return [name, { dtype, shape: rows, data: new Uint16Array(size).fill(thirtieth) }];
      const data = fill(new Float32Array(size), normal, i * 7919, 1);
      if (dtype === "float32") return [name, { dtype, shape: rows, data }];
      return [name, { dtype: "int8", shape: rows, data: Int8Array.from(data, (x) => 30 * x) }];
    }),
  );
}

/** 1/30 as float16. */
const thirtieth = 0x2844;
