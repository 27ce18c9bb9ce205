// Models small enough to interpret, with weights lively enough that nothing hides: norms are not 1, biases not 0.

import { reshape, slice } from "../../src/graph/ops.ts";
import { type Graph, input, trace } from "../../src/graph/trace.ts";
import type { Value } from "../../src/graph/value.ts";
import { type CausalOptions, causalStore } from "../../src/model/causal-store.ts";
import { type DecoderConfig, type ModelConfig, type ModelOptions, modelConfig } from "../../src/model/config.ts";
import type { KvStore } from "../../src/model/kv.ts";
import { crossEntropy } from "../../src/model/loss.ts";
import { parameters } from "../../src/model/parameters.ts";
import type { Sharing } from "../../src/model/sharing.ts";
import { logits, transformer, weightInputs, weightsOf } from "../../src/model/transformer.ts";
import { Random } from "../../src/tensor/random.ts";
import { sizeOf, type Tensor, type Tensors } from "../../src/tensor/tensor.ts";

/** KV heads of a tiny model's four heads. */
export const kvHeads = { MHA: 4, GQA: 2, MQA: 1 } as const;

/** Which kind of attention heads. */
export type Heads = keyof typeof kvHeads;

/** A model of width 8 with four heads of 4, as many layers as `sharing` has entries. */
export function tinyConfig(sharing: Sharing, heads: Heads = "MQA", more: Partial<ModelOptions> = {}): ModelConfig {
  const sizes = { layers: sharing.length, width: 8, heads: 4, headDim: 4, mlpWidth: 12, vocab: 11, context: 16 };
  return modelConfig({ ...sizes, kvHeads: kvHeads[heads], sharing, ...more });
}

/** What models of other projects have beside sizes and sharing, each with a name. */
export const otherChoices: Readonly<Record<string, Partial<ModelOptions>>> = {
  "norms of heads before they turn": { headNorms: "before", kvNorm: "shared" },
  "norms of heads after they turn": { headNorms: "after" },
  "layers without rotary embedding": { noRope: [0, 1, 3] },
  "no rotary embedding at all": { noRope: [0, 1, 2, 3] },
  "heads of which a part turns": { headDim: 6, ropeDim: 2 },
  "rotary embedding by YaRN": {
    ropeScaling: {
      ...{ type: "yarn", factor: 4, originalContext: 8, fastTurns: 32, slowTurns: 1 },
      ...{ wholePairs: true, amplitude: 1.2 },
    },
  },
};

/** Random parameters under which activations stay of order 1. */
export function lively(config: DecoderConfig, seed: number): Tensors {
  return Object.fromEntries(
    parameters(config).map(({ name, shape, role }) => {
      const random = new Random(seed).split(name);
      const [mean, std] =
        role === "norm" ? [1, 0.3] : role === "bias" ? [0, 0.3] : [0, 1.2 / Math.sqrt(shape.at(-1) as number)];
      const data = Float32Array.from({ length: sizeOf(shape) }, () => mean + std * random.normal());
      return [name, { dtype: "float32", shape, data } satisfies Tensor];
    }),
  );
}

/** Random token ids. */
export function randomTokens(config: ModelConfig, shape: readonly number[], seed: number): Tensor<"int32"> {
  const random = new Random(seed);
  return { dtype: "int32", shape, data: Int32Array.from({ length: sizeOf(shape) }, () => random.below(config.vocab)) };
}

/** Where a graph's tokens sit. */
export type Layout = Pick<CausalOptions, "batch" | "length" | "block" | "attention">;

/** `tokens [B, T + 1]` to `loss`: what training differentiates, without its gradients. */
export function lossGraph(config: ModelConfig, layout: Layout): Graph {
  const { batch, length } = layout;
  return trace(() => {
    const tokens = input("tokens", "int32", [batch, length + 1]);
    const flat = (start: number) => reshape(slice(tokens, 1, start, start + length), [batch * length]);
    const weights = weightsOf(weightInputs(config));
    const kv = causalStore(config, layout);
    return { loss: crossEntropy(config, weights, transformer(config, weights, flat(0), kv), flat(1)) };
  });
}

/** `tokens [B·T]` to `logits [B·T, V]` and all that the layers wrote and read (see `watched`), kept in what `through` makes of a store. */
export function logitsGraph(config: DecoderConfig, layout: Layout, through = (kv: KvStore) => kv): Graph {
  const { batch, length } = layout;
  return trace(() => {
    const weights = weightsOf(weightInputs(config));
    const seen: Record<string, Value> = {};
    const kv = watched(through(causalStore(config, layout)), seen);
    const hidden = transformer(config, weights, input("tokens", "int32", [batch * length]), kv);
    return { logits: logits(config, weights, hidden), ...seen };
  });
}

/** A store that behaves as `kv` and keeps in `seen` owners' `keys.<owner>`, `values.<owner>` and every `attended.<layer>`. */
export function watched(kv: KvStore, seen: Record<string, Value>): KvStore {
  let layer = 0;
  return {
    rotate: (x) => kv.rotate(x),
    writeKeys: (owner, keys) => {
      seen[`keys.${owner}`] = keys;
      kv.writeKeys(owner, keys);
    },
    writeValues: (owner, values) => {
      seen[`values.${owner}`] = values;
      kv.writeValues(owner, values);
    },
    attend: (source, queries) => {
      const attended = kv.attend(source, queries);
      seen[`attended.${layer++}`] = attended;
      return attended;
    },
  };
}
