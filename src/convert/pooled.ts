// Keys and values of several sources in one, without text: the owner's own (as the paper's authors convert), or the mean of
// all (LCKV, MLKV; for heads arXiv 2305.13245).

import type { ModelConfig } from "../model/config.ts";
import { biasName, parameterName, type SiteName } from "../model/sites.ts";
import type { Tensor, Tensors } from "../tensor/tensor.ts";
import { heads } from "./heads.ts";
import type { Merge } from "./target.ts";

const projections: readonly SiteName[] = ["attn.k", "attn.v"];
const ownNorms: readonly SiteName[] = ["attn.kv_norm", "attn.k_norm"];

/** The owner's keys and values: of its heads that become one, the first. */
export function ownersWeights(from: ModelConfig, weights: Tensors, merge: Merge, kvHeadsMade: number): Tensors {
  return pooled(from, weights, { ...merge, sources: merge.sources.slice(0, 1) }, kvHeadsMade, (units) =>
    units.slice(0, 1),
  );
}

/** Of these, the projection of keys alone. */
export function ownersKeys(from: ModelConfig, weights: Tensors, merge: Merge, kvHeadsMade: number): Tensors {
  const key = parameterName("attn.k", merge.owner);
  const made = ownersWeights(from, weights, merge, kvHeadsMade);
  return Object.fromEntries(Object.entries(made).filter(([name]) => name === key || name === biasName(key)));
}

/** The mean over all heads that become one; where keys and values have a norm apart, its mean too. */
export function meanWeights(from: ModelConfig, weights: Tensors, merge: Merge, kvHeadsMade: number): Tensors {
  return pooled(from, weights, merge, kvHeadsMade, (units) => units);
}

function pooled(
  { kvHeads, headDim }: ModelConfig,
  weights: Tensors,
  merge: Merge,
  kvHeadsMade: number,
  chosen: <Unit>(units: readonly Unit[]) => readonly Unit[],
): Tensors {
  const made: Tensors = {};
  const put = (name: (layer: number) => string) => {
    const own = weights[name(merge.owner)];
    if (!own) return; // a bias or norm that the model does not have
    const rowSize = own.data.length / (kvHeads * headDim); // numbers of a row, 1 of biases
    const size = headDim * rowSize; // numbers of a head
    const data = new Float32Array(kvHeadsMade * size);
    for (const [place, units] of heads(merge, kvHeads, kvHeadsMade).entries()) {
      const parts = chosen(units).map(({ source, head }) => {
        const layer = (merge.sources[source] as Merge["sources"][number]).owner;
        return (weights[name(layer)] as Tensor<"float32">).data.subarray(head * size, (head + 1) * size);
      });
      data.set(meanOf(parts), place * size);
    }
    made[name(merge.owner)] = { dtype: "float32", shape: [kvHeadsMade * headDim, ...own.shape.slice(1)], data };
  };
  for (const site of projections) {
    put((layer) => parameterName(site, layer));
    put((layer) => biasName(parameterName(site, layer)));
  }
  for (const site of ownNorms) {
    const norms = merge.sources.flatMap(({ owner }) => weights[parameterName(site, owner)] ?? []);
    const [own] = norms;
    if (!own) continue;
    const data = meanOf(chosen(norms).map(({ data }) => data as Float32Array));
    made[parameterName(site, merge.owner)] = { ...own, data } as Tensor;
  }
  return made;
}

/** The mean of equally long parts; of one part, the part itself. */
function meanOf(parts: readonly Float32Array[]): Float32Array {
  const [first] = parts as [Float32Array];
  if (parts.length === 1) return first;
  const sums = new Float64Array(first.length);
  for (const part of parts) for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) + (part[i] as number);
  return Float32Array.from(sums, (sum) => sum / parts.length);
}
