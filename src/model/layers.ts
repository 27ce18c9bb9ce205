// The two halves of a layer: attention, with its own keys and values or borrowed ones, and the SwiGLU MLP.
// Each takes the residual stream `[N, C]` and gives what is to be added to it.

import { add, matmul, mul, rmsNorm, silu } from "../graph/ops.ts";
import type { Value } from "../graph/value.ts";
import type { ModelConfig } from "./config.ts";
import type { KvStore } from "./kv.ts";

/** Gives a parameter of the model by its name. */
export type Weights = (name: string) => Value;

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
  const product = matmul(x, weights(name), { transB: true });
  return bias ? add(product, weights(`${name}.bias`)) : product;
}
