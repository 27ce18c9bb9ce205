// Weights and caches of random numbers, for measuring speed: what a model has learnt does not change how fast it is.

import { poolNames } from "../../kv/paged-store.ts";
import type { ModelConfig } from "../../model/config.ts";
import type { KvDtype } from "../../model/formats.ts";
import { parameters } from "../../model/parameters.ts";
import { owners } from "../../model/sharing.ts";
import { Random } from "../../tensor/random.ts";
import { sizeOf, type Tensors } from "../../tensor/tensor.ts";

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

/** Rows of `count` tokens for every owner's pool (see `pagedStore`). */
export function randomRows(config: ModelConfig, dtype: KvDtype, count: number, seed = 2): Tensors {
  const { kvHeads, headDim, sharing } = config;
  const normal = table(seed);
  const rows: Tensors = {};
  for (const [i, owner] of owners(sharing).entries()) {
    const names = poolNames(owner);
    for (const [j, name] of [names.keys, names.values].entries()) {
      const data = fill(new Float32Array(count * kvHeads * headDim), normal, (2 * i + j) * 7919, 1);
      if (dtype === "float32") rows[name] = { dtype, shape: [count, kvHeads * headDim], data };
      else rows[name] = { dtype, shape: [count, kvHeads, headDim], data: Int8Array.from(data, (x) => 30 * x) };
    }
    if (dtype === "float32") continue;
    const thirtieth = 0x2844; // 1/30 as float16
    for (const name of [names.keyScales, names.valueScales]) {
      const data = new Uint16Array(count * kvHeads).fill(thirtieth);
      rows[name] = { dtype: "float16", shape: [count, kvHeads, 1], data };
    }
  }
  return rows;
}
