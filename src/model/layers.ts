// The two halves of a layer: attention, with its own keys and values or borrowed ones, and the SwiGLU MLP.
// Each takes the residual stream `[N, C]` and gives what is to be added to it.

import { add, mul, rmsNorm, silu } from "../graph/ops.ts";
import type { Value } from "../graph/value.ts";
import type { ModelConfig } from "./config.ts";
import type { KvStore } from "./kv.ts";

/** A model's weights while its graph is built. */
export interface Weights {
  /** The parameter of this name. */
  (name: string): Value;
  /** x · wᵀ with the matrix w of this name, however it is kept: `[N, K] → [N, M]`. */
  project(name: string, x: Value): Value;
}

/** Attention of layer `layer` to the keys and values of `sharing[layer]`. */
export function attention(config: ModelConfig, weights: Weights, layer: number, x: Value, kv: KvStore): Value {
  const at = `layers.${layer}.attn`;
  const { qkv, output } = config.biases;
  const normed = rmsNorm(x, weights(`${at}.norm`), config.normEpsilon); // [N, C]
  if (config.sharing[layer] === layer) {
    const own = config.kvNorm === "own";
    const source = own ? rmsNorm(x, weights(`${at}.kv_norm`), config.normEpsilon) : normed;
    const keys = kv.rotate(linear(weights, `${at}.k`, source, qkv)); // [N, G·D]
    kv.write(layer, keys, linear(weights, `${at}.v`, source, qkv));
  }
  const queries = kv.rotate(linear(weights, `${at}.q`, normed, qkv)); // [N, H·D]
  return linear(weights, `${at}.o`, kv.attend(config.sharing[layer] as number, queries), output);
}

/** down(silu(gate(x)) · up(x)) on the normed stream (SwiGLU, arXiv 2002.05202). */
export function mlp(config: ModelConfig, weights: Weights, layer: number, x: Value): Value {
  const at = `layers.${layer}.mlp`;
  const bias = config.biases.mlp;
  const normed = rmsNorm(x, weights(`${at}.norm`), config.normEpsilon);
  const gated = mul(silu(linear(weights, `${at}.gate`, normed, bias)), linear(weights, `${at}.up`, normed, bias)); // [N, F]
  return linear(weights, `${at}.down`, gated, bias);
}

function linear(weights: Weights, name: string, x: Value, bias: boolean): Value {
  const product = weights.project(name, x);
  return bias ? add(product, weights(`${name}.bias`)) : product;
}
