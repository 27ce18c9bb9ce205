// Makes a model's weights those of another, whose layers share keys and values, or whose heads do. Tensors that no merge
// touches stay the same objects. Knows no files.

import type { ModelConfig } from "../model/config.ts";
import { parameters } from "../model/parameters.ts";
import type { Tensor, Tensors } from "../tensor/tensor.ts";
import type { Moments } from "./calibration.ts";
import { fitted } from "./fit.ts";
import { meanWeights, ownersWeights } from "./pooled.ts";
import { changes, type Merge } from "./target.ts";

/** How to make the weights; a fit needs moments of all merges that change something. */
export type Making = { readonly init: "owner" | "mean" } | { readonly init: "fit"; readonly moments: Moments };

/** Makes the parameters that a merge changes. */
export type MergeMaker = (merge: Merge) => Tensors;

/** Makes merges of a model's weights for targets of `kvHeads` KV heads, each merge once. */
export function mergeMaker(from: ModelConfig, weights: Tensors, kvHeads: number, making: Making): MergeMaker {
  const known = new Map<string, Tensors>();
  return (merge) => {
    const key = merge.sources.map(({ owner }) => owner).join();
    const made = known.get(key) ?? make(merge);
    known.set(key, made);
    return made;
  };

  function make(merge: Merge): Tensors {
    if (making.init === "fit") return fitted(from, weights, merge, kvHeads, making.moments);
    const pool = making.init === "mean" ? meanWeights : ownersWeights;
    return pool(from, weights, merge, kvHeads);
  }
}

/** The weights of `target` (see `targetConfig`), from those of `from`. The identity gives the same tensors. */
export function converted(from: ModelConfig, weights: Tensors, target: ModelConfig, make: MergeMaker): Tensors {
  const made: Tensors = {};
  for (const merge of changes(from, target)) Object.assign(made, make(merge));
  return Object.fromEntries(
    parameters(target).map(({ name }) => [name, (made[name] ?? weights[name]) as Tensor] as const),
  );
}
