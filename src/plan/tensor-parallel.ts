// Tensor parallelism: every layer over several devices, each with some of the heads and of the MLP's width. Norms are on
// all of them. Where there are fewer KV heads than devices, heads are there several times, as in vLLM.

import { InputError } from "../error.ts";
import type { ModelConfig } from "../model/config.ts";
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

/** A device's part of a tensor: rows of what makes heads, MLP width or vocabulary, columns of what takes them in. */
export function shardShape({ name, shape }: KeptTensor, config: ModelConfig, split: TensorSplit): number[] {
  const [rows, columns] = shape as readonly [number, number?];
  const with0 = (first: number) => (columns === undefined ? [first] : [first, columns]);
  if (/\.attn\.[kv](\.bias)?$/.test(name)) return with0((rows / config.kvHeads) * split.kvHeads);
  if (/\.(attn\.q|mlp\.gate|mlp\.up)(\.bias)?$/.test(name)) return with0(rows / split.devices);
  if (name === "embed" || name === "head") return with0(Math.ceil(rows / split.devices)); // vocabularies are filled up
  if (/\.(attn\.o|mlp\.down)$/.test(name)) return [rows, (columns as number) / split.devices];
  return [...shape]; // norms, and biases that are added to sums over all devices
}

function obstacle({ heads, kvHeads, mlpWidth }: ModelConfig, devices: number): string | undefined {
  if (heads % devices !== 0) return `${heads} query heads do not split over ${devices} devices`;
  if (kvHeads % devices !== 0 && devices % kvHeads !== 0) {
    return `${kvHeads} KV heads neither split over ${devices} devices nor repeat evenly on them`;
  }
  if (mlpWidth % devices !== 0) return `an MLP width of ${mlpWidth} does not split over ${devices} devices`;
  return undefined;
}
