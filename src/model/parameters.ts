// A model's parameters: names, shapes, initial values, all from its config. Borrowers have no K and V parameters, so
// whoever enumerates parameters here never trips over absent ones. Matrices are [out, in], as PyTorch stores them.

import type { Random } from "../tensor/random.ts";
import { sizeOf, type Tensor, type Tensors } from "../tensor/tensor.ts";
import type { ModelConfig } from "./config.ts";

/** One parameter tensor. */
export interface Parameter {
  /** The name it has everywhere: in graphs, checkpoints, optimizer state and logs. */
  readonly name: string;
  readonly shape: readonly number[];
  /** Standard deviation of the initial normal values, or the constant they all start from. */
  readonly init: { readonly std: number } | { readonly value: number };
  /** What it is, for rules such as weight decay. */
  readonly role: "matrix" | "embedding" | "norm" | "bias";
}

/** Every parameter of a model, in the order of the data flow. */
export function parameters(config: ModelConfig): Parameter[] {
  const { layers, width, heads, kvHeads, headDim, mlpWidth, vocab, sharing, biases, initStd } = config;
  const outputStd = initStd / Math.sqrt(2 * layers); // GPT-2's scaling of what is added to the residual stream
  const list: Parameter[] = [];
  const norm = (name: string) => list.push({ name, shape: [width], init: { value: 1 }, role: "norm" });
  const linear = (name: string, outputs: number, inputs: number, bias: boolean, std = initStd) => {
    list.push({ name, shape: [outputs, inputs], init: { std }, role: "matrix" });
    if (bias) list.push({ name: `${name}.bias`, shape: [outputs], init: { value: 0 }, role: "bias" });
  };

  list.push({ name: "embed", shape: [vocab, width], init: { std: initStd }, role: "embedding" });
  for (let layer = 0; layer < layers; layer++) {
    const at = `layers.${layer}`;
    norm(`${at}.attn.norm`);
    linear(`${at}.attn.q`, heads * headDim, width, biases.qkv);
    if (sharing[layer] === layer) {
      if (config.kvNorm === "own") norm(`${at}.attn.kv_norm`);
      linear(`${at}.attn.k`, kvHeads * headDim, width, biases.qkv);
      linear(`${at}.attn.v`, kvHeads * headDim, width, biases.qkv);
    }
    linear(`${at}.attn.o`, width, heads * headDim, biases.output, outputStd);
    norm(`${at}.mlp.norm`);
    linear(`${at}.mlp.gate`, mlpWidth, width, biases.mlp);
    linear(`${at}.mlp.up`, mlpWidth, width, biases.mlp);
    linear(`${at}.mlp.down`, width, mlpWidth, biases.mlp, outputStd);
  }
  norm("norm");
  if (!config.tiedEmbeddings) {
    list.push({ name: "head", shape: [vocab, width], init: { std: initStd }, role: "embedding" });
  }
  return list;
}

/** The parameter that scores the vocabulary: the embedding table where embeddings are tied. */
export function headName({ tiedEmbeddings }: Pick<ModelConfig, "tiedEmbeddings">): string {
  return tiedEmbeddings ? "embed" : "head";
}

/** Initial values. A parameter's depend on the seed and its name alone, so models that share a layer start it alike. */
export function initialize(config: ModelConfig, random: Random): Tensors {
  return Object.fromEntries(parameters(config).map((parameter) => [parameter.name, initialValue(parameter, random)]));
}

function initialValue({ name, shape, init }: Parameter, random: Random): Tensor<"float32"> {
  const data = new Float32Array(sizeOf(shape));
  if ("value" in init) return { dtype: "float32", shape, data: data.fill(init.value) };
  const stream = random.split(name);
  for (let i = 0; i < data.length; i++) data[i] = init.std * stream.normal();
  return { dtype: "float32", shape, data };
}
