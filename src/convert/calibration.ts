// What a model's attention sees on real text, as sums over tokens: second moments of what keys and values are projected
// from, their products with the keys and values of other layers, and how large queries are. The model's own graph runs
// on a device and is listened to where it projects.

import { InputError } from "../error.ts";
import { add, concat, matmul, mul, reshape, sum } from "../graph/ops.ts";
import { inputName } from "../graph/replaced.ts";
import { constant, input, trace } from "../graph/trace.ts";
import type { Value } from "../graph/value.ts";
import { causalStore } from "../model/causal-store.ts";
import type { ModelConfig } from "../model/config.ts";
import type { Weights } from "../model/layers.ts";
import { biasName, parameterName, type SiteName } from "../model/sites.ts";
import { transformer, weightInputs, weightsOf } from "../model/transformer.ts";
import { type Buffers, type Device, putAll, readAll } from "../runtime/device.ts";
import { type Tensor, type Tensors, zeros } from "../tensor/tensor.ts";
import type { Matrix } from "./linear-algebra.ts";
import type { Merge } from "./target.ts";

/**
 * Means over the tokens of a text. X are rows of what an owner's keys and values are projected from; where projections
 * have biases, X has a last column of ones.
 */
export interface Moments {
  /** XᵀX of an owner's, `[C, C]`. */
  gram(owner: number): Matrix;
  /** Xᵀ[K V] of an owner's X and another's keys (before rotation) and values, `[C, 2·G·D]`. */
  cross(owner: number, source: number): Matrix;
  /** Mean squares of a layer's queries, `[H·D]`. */
  queries(layer: number): Float64Array;
}

/** How it is watched and stopped. */
export interface CalibrationOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told how many batches of windows are done. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * Runs a model over token windows `[batch, length]`, all of one shape, for all that `needed` merges ask.
 * @throws InputError where the text is too short for a fit.
 */
export async function calibrate(
  device: Device,
  config: ModelConfig,
  weights: Tensors,
  windows: readonly Tensor<"int32">[],
  needed: readonly Merge[],
  { signal, onProgress }: CalibrationOptions = {},
): Promise<Moments> {
  if (needed.length === 0) return momentsOf({}, 1);
  const [first] = windows;
  const shape = first?.shape as [number, number];
  const tokens = windows.length * shape[0] * shape[1];
  if (tokens < 2 * config.width) {
    throw new InputError(
      `calibration: ${tokens} tokens are too few to fit ${config.width} dimensions; give ${8 * config.width} or more`,
    );
  }
  const graph = momentsGraph(device, config, shape, needed);
  using program = await device.compile(graph);
  const sums = graph.inputs.filter((value) => isSum(inputName(value)));
  let state: Buffers = putAll(
    device,
    Object.fromEntries(sums.map((value) => [inputName(value), zeros("float32", value.shape as number[])])),
  );
  const placed = putAll(device, weights);
  try {
    for (const [i, window] of windows.entries()) {
      signal?.throwIfAborted();
      using put = device.put(window);
      state = await program.run({ ...placed, ...state, tokens: put });
      onProgress?.(i + 1, windows.length);
    }
    return momentsOf(await readAll(state), tokens);
  } finally {
    for (const buffer of [...Object.values(placed), ...Object.values(state)]) buffer[Symbol.dispose]();
  }
}

const sumPrefix = "moments.";
const isSum = (name: string) => name.startsWith(sumPrefix);
const gramName = (owner: number) => `${sumPrefix}gram.${owner}`;
const crossName = (owner: number, source: number) => `${sumPrefix}cross.${owner}.${source}`;
const queriesName = (layer: number) => `${sumPrefix}queries.${layer}`;

function momentsGraph(
  { traits }: Device,
  config: ModelConfig,
  [batch, length]: readonly [number, number],
  needed: readonly Merge[],
) {
  return trace(() => {
    const rows = batch * length;
    const heard = new Map<string, Heard>();
    const weights = listening(weightsOf(weightInputs(config)), heard);
    const tokens = reshape(input("tokens", "int32", [batch, length]), [rows]);
    transformer(config, weights, tokens, causalStore(config, { batch, length, block: traits.attentionBlock }));
    const at = (site: SiteName, layer: number) => {
      const name = parameterName(site, layer);
      const { from, product } = heard.get(name) as Heard;
      return { from, made: config.biases.qkv ? add(product, weights(biasName(name))) : product };
    };
    const ones = constant({ dtype: "float32", shape: [rows, 1], data: new Float32Array(rows).fill(1) });
    const sources = (owner: number) => {
      const { from } = at("attn.k", owner);
      return config.biases.qkv ? concat([from, ones], 1) : from;
    };
    const sums: Record<string, Value> = {};
    const keep = (name: string, value: Value) => {
      sums[name] = add(input(name, "float32", value.shape), value);
    };
    for (const { owner, sources: merged } of needed) {
      const x = sources(owner);
      keep(gramName(owner), matmul(x, x, { transA: true }));
      for (const source of merged) {
        const made = concat([at("attn.k", source.owner).made, at("attn.v", source.owner).made], 1);
        keep(crossName(owner, source.owner), matmul(x, made, { transA: true }));
      }
    }
    for (const layer of new Set(needed.flatMap(({ sources }) => sources.flatMap(({ readers }) => readers)))) {
      const { made } = at("attn.q", layer);
      keep(queriesName(layer), sum(mul(made, made), [0]));
    }
    return sums;
  });
}

/** What a matrix was multiplied with, and what came of it. */
interface Heard {
  readonly from: Value;
  readonly product: Value;
}

/** Weights that behave as `weights` and tell what is multiplied with each matrix. */
function listening(weights: Weights, heard: Map<string, Heard>): Weights {
  const project: Weights["project"] = (name, from, to) => {
    const product = weights.project(name, from, to);
    heard.set(name, { from, product });
    return product;
  };
  return Object.assign((name: string) => weights(name), { project });
}

function momentsOf(sums: Tensors, tokens: number): Moments {
  const find = (name: string): Tensor<"float32"> => {
    const found = sums[name];
    if (!found) throw new TypeError(`moments: ${name} was not asked for`);
    return found as Tensor<"float32">;
  };
  const means = (name: string) => Float64Array.from(find(name).data, (x) => x / tokens);
  const meansMatrix = (name: string): Matrix => {
    const [rows, columns] = find(name).shape as [number, number];
    return { rows, columns, data: means(name) };
  };
  return {
    gram: (owner) => meansMatrix(gramName(owner)),
    cross: (owner, source) => meansMatrix(crossName(owner, source)),
    queries: (layer) => means(queriesName(layer)),
  };
}
