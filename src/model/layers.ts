// The two halves of a layer: attention, with its own keys and values or borrowed ones, and the SwiGLU MLP.
// Each takes the residual stream `[N, C]` and gives what is to be added to it.

import { add, mul, reshape, rmsNorm, silu } from "../graph/ops.ts";
import { float } from "../graph/trace.ts";
import type { Dim, Value } from "../graph/value.ts";
import type { DecoderConfig } from "./config.ts";
import type { KvStore } from "./kv.ts";
import { sourcesOf } from "./sharing.ts";
import { biasName, parameterName, type SiteName, siteOf } from "./sites.ts";

/** A model's weights while its graph is built. */
export interface Weights {
  /** The parameter of this name. */
  (name: string): Value;
  /**
   * x · wᵀ with the matrix w of this name, however it is kept: `[N, K] → [N, M]`. The product is rounded to what matrices
   * are multiplied in, or stays as it adds up.
   */
  project(name: string, x: Value, to?: "compute" | "reduce"): Value;
}

/** Attention of layer `layer` to the keys and values that the sharing names for it. */
export function attention(config: DecoderConfig, weights: Weights, layer: number, x: Value, kv: KvStore): Value {
  const { sharing, kvNorm, normEpsilon, headNorms, noRope } = config;
  const turned = (x: Value) => (noRope?.includes(layer) ? x : kv.rotate(x));
  const headScale = (site: SiteName) => weights(parameterName(site, layer)); // [D]
  const linear = linearOf(config, weights, layer);
  const normed = rmsNorm(x, weights(parameterName("attn.norm", layer)), normEpsilon); // [N, C]
  const { keys, values } = sourcesOf(sharing);
  const source = { keys: keys[layer] as number, values: values[layer] as number };
  if (source.keys === layer || source.values === layer) {
    const own = kvNorm === "own";
    const stream = own ? rmsNorm(x, weights(parameterName("attn.kv_norm", layer)), normEpsilon) : normed;
    const ownKeys = source.keys === layer ? preparedKeys(linear("attn.k", stream)) : undefined; // [N, G·D]
    const ownValues = source.values === layer ? linear("attn.v", stream) : undefined;
    if (ownKeys) kv.writeKeys(layer, ownKeys);
    if (ownValues) kv.writeValues(layer, ownValues);
  }
  return linear("attn.o", kv.attend(source, preparedQueries(linear("attn.q", normed))));

  function preparedKeys(keys: Value): Value {
    if (headNorms === "before") return turned(headNormed(config, keys, headScale("attn.k_norm")));
    // What all readers' norms have in common is done once; the scale, which is each reader's own, is on its queries.
    if (headNorms === "after") return headNormed(config, turned(keys), float(new Array(config.headDim).fill(1)));
    return turned(keys);
  }
  function preparedQueries(queries: Value): Value {
    if (headNorms === "before") return turned(headNormed(config, queries, headScale("attn.q_norm")));
    if (headNorms === "after") {
      return headNormed(config, turned(queries), mul(headScale("attn.q_norm"), headScale("attn.read_norm")));
    }
    return turned(queries);
  }
}

/** Every head of `x [N, heads·D]` over its root mean square, times `scale [D]`. */
function headNormed({ headDim, normEpsilon }: DecoderConfig, x: Value, scale: Value): Value {
  const [rows, width] = x.shape as [Dim, number];
  const heads = reshape(x, [rows, width / headDim, headDim]);
  return reshape(rmsNorm(heads, scale, normEpsilon), x.shape);
}

/** down(silu(gate(x)) · up(x)) on the normed stream (SwiGLU, arXiv 2002.05202). */
export function mlp(config: DecoderConfig, weights: Weights, layer: number, x: Value): Value {
  const linear = linearOf(config, weights, layer);
  const normed = rmsNorm(x, weights(parameterName("mlp.norm", layer)), config.normEpsilon);
  const gated = mul(silu(linear("mlp.gate", normed)), linear("mlp.up", normed)); // [N, F]
  return linear("mlp.down", gated);
}

/** x · wᵀ with a layer's matrix, plus its bias if the model has one. */
function linearOf({ biases }: DecoderConfig, weights: Weights, layer: number): (site: SiteName, x: Value) => Value {
  return (site, x) => {
    const name = parameterName(site, layer);
    const product = weights.project(name, x);
    const { bias } = siteOf(site);
    return bias && biases[bias] ? add(product, weights(biasName(name))) : product;
  };
}
