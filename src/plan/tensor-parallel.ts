// Tensor parallelism: every layer over several devices, each with some of the heads and of the MLP's width. Norms are on
// all of them. Where there are fewer KV heads than devices, heads are there several times, as in vLLM.

import { InputError } from "../error.ts";
import type { ModelConfig } from "../model/config.ts";
import type { Axis } from "../model/sites.ts";
import type { KeptTensor } from "./weight-bytes.ts";

/** A device's part of each layer. */
export interface TensorSplit {
  readonly devices: number;
  /** Query heads of a device. */
  readonly heads: number;
  /** KV heads of a device. */
  readonly kvHeads: number;
  /** On how many devices each KV head is: 1 unless there are fewer KV heads than devices. */
  readonly kvCopies: number;
}

/** Splits a model over `devices`. @throws InputError, with the numbers that would do, where it does not split evenly. */
export function tensorSplit(config: ModelConfig, devices: number): TensorSplit {
  const problem = obstacle(config, devices);
  if (problem !== undefined) {
    const possible = Array.from({ length: config.heads }, (_, i) => i + 1).filter((n) => !obstacle(config, n));
    throw new InputError(`tensor parallel: ${problem}; use ${possible.join(", ")}`);
  }
  const { heads, kvHeads } = config;
  return {
    devices,
    heads: heads / devices,
    kvHeads: Math.max(1, kvHeads / devices),
    kvCopies: Math.max(1, devices / kvHeads),
  };
}

type Part = (size: number, config: ModelConfig, split: TensorSplit) => number;

const evenPart: Part = (size, _, { devices }) => size / devices;

/** A device's part of each axis. Norms, and biases that are added to sums over all devices, lie along the width alone. */
const parts: Readonly<Record<Axis, Part>> = {
  vocab: (size, _, { devices }) => Math.ceil(size / devices), // vocabularies are filled up
  width: (size) => size,
  queries: evenPart,
  head: (size) => size,
  keys: (size, config, split) => (size / config.kvHeads) * split.kvHeads,
  mlp: evenPart,
};

/** A device's part of a tensor. */
export function shardShape({ site, shape }: KeptTensor, config: ModelConfig, split: TensorSplit): number[] {
  return site.axes.map((axis, i) => parts[axis](shape[i] as number, config, split));
}

function obstacle({ heads, kvHeads, mlpWidth }: ModelConfig, devices: number): string | undefined {
  if (heads % devices !== 0) return `${heads} query heads do not split over ${devices} devices`;
  if (kvHeads % devices !== 0 && devices % kvHeads !== 0) {
    return `${kvHeads} KV heads neither split over ${devices} devices nor repeat evenly on them`;
  }
  if (mlpWidth % devices !== 0) return `an MLP width of ${mlpWidth} does not split over ${devices} devices`;
  return undefined;
}
