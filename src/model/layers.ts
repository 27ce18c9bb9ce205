// The two halves of a layer: attention, with its own keys and values or borrowed ones, and the SwiGLU MLP.
// Each takes the residual stream `[N, C]` and gives what is to be added to it.

import { add, mul, rmsNorm, silu } from "../graph/ops.ts";
import type { Value } from "../graph/value.ts";
import type { ModelConfig } from "./config.ts";
import type { KvStore } from "./kv.ts";
import type { Precision } from "./precision.ts";
import { biasName, parameterName, type SiteName, siteOf } from "./sites.ts";

/** A model's weights while its graph is built. */
export interface Weights {
  /** The parameter of this name. */
  (name: string): Value;
  /** x · wᵀ with the matrix w of this name, however it is kept: `[N, K] → [N, M]`, rounded to `to` on the way. */
  project(name: string, x: Value, to?: Precision): Value;
}

/** Attention of layer `layer` to the keys and values of `sharing[layer]`. */
export function attention(config: ModelConfig, weights: Weights, layer: number, x: Value, kv: KvStore): Value {
  const { sharing, kvNorm, normEpsilon } = config;
  const linear = linearOf(config, weights, layer);
  const normed = rmsNorm(x, weights(parameterName("attn.norm", layer)), normEpsilon); // [N, C]
  if (sharing[layer] === layer) {
    const own = kvNorm === "own";
    const source = own ? rmsNorm(x, weights(parameterName("attn.kv_norm", layer)), normEpsilon) : normed;
    const keys = kv.rotate(linear("attn.k", source)); // [N, G·D]
    kv.write(layer, keys, linear("attn.v", source));
  }
  const queries = kv.rotate(linear("attn.q", normed)); // [N, H·D]
  return linear("attn.o", kv.attend(sharing[layer] as number, queries));
}

/** down(silu(gate(x)) · up(x)) on the normed stream (SwiGLU, arXiv 2002.05202). */
export function mlp(config: ModelConfig, weights: Weights, layer: number, x: Value): Value {
  const linear = linearOf(config, weights, layer);
  const normed = rmsNorm(x, weights(parameterName("mlp.norm", layer)), config.normEpsilon);
  const gated = mul(silu(linear("mlp.gate", normed)), linear("mlp.up", normed)); // [N, F]
  return linear("mlp.down", gated);
}

/** x · wᵀ with a layer's matrix, plus its bias if the model has one. */
function linearOf({ biases }: ModelConfig, weights: Weights, layer: number): (site: SiteName, x: Value) => Value {
  return (site, x) => {
    const name = parameterName(site, layer);
    const product = weights.project(name, x);
    const { bias } = siteOf(site);
    return bias && biases[bias] ? add(product, weights(biasName(name))) : product;
  };
}
