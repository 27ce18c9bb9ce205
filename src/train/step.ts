// One optimisation step as graphs: loss, gradients, clipping and AdamW. With several micro-batches a second graph adds
// up gradients first. Knows no data, no schedule and no runtime.

import { gradient } from "../autodiff/gradient.ts";
import { add, mul, reshape, slice } from "../graph/ops.ts";
import { float, type Graph, input, trace } from "../graph/trace.ts";
import type { Value } from "../graph/value.ts";
import { causalStore } from "../model/causal-store.ts";
import type { ModelConfig } from "../model/config.ts";
import { crossEntropy, distillationLoss } from "../model/loss.ts";
import { parameters } from "../model/parameters.ts";
import { type Precision, precisions } from "../model/precision.ts";
import { layerName } from "../model/sites.ts";
import { transformer, weightInputs, weightsOf } from "../model/transformer.ts";
import { type AdamW, adamwUpdate, globalNorm } from "./optimizer.ts";

/** What fixes a step's graphs. */
export interface StepOptions {
  /** Sequences in a micro-batch. */
  batch: number;
  /** Tokens predicted in each sequence. */
  length: number;
  optimizer: AdamW;
  /** Micro-batches whose gradients make one step; 1 needs no second graph. */
  accumulate?: number;
  /** Compute each layer's inner values again in the backward pass instead of keeping them. */
  recompute?: boolean;
  /** Tokens per attention block (see `causalStore`). */
  block?: number;
  /** How attention is written (see `causalStore`). */
  attention?: "blocks" | "fused";
  /** What matrices are multiplied in; float32 if not said. */
  precision?: Precision;
  /** The most logits that are computed at once (see `crossEntropy`). */
  logitElements?: number;
  /** A model to agree with, whose parameters are inputs under `teacherName`; the loss is `distillationLoss`. */
  teacher?: StepTeacher | undefined;
}

/** A teacher as a step sees it. */
export interface StepTeacher {
  readonly config: ModelConfig;
  /** See `Taught`. */
  readonly share: number;
}

/** The name of a teacher's parameter in a step's graphs. */
export const teacherName = (name: string) => `teacher.${name}`;

/** The name of a parameter's summed gradient while micro-batches accumulate. */
export const sumName = (name: string) => `sum.${name}`;

/**
 * The graph that ends a step. Inputs: `tokens [B, T + 1]` (int32), parameters, moments, step scalars, and gradient sums
 * if micro-batches accumulate. Outputs: `loss` (this micro-batch's mean, nats), `gradNorm` (before clipping), and new
 * parameters and moments under the names of the old, which they may overwrite. (`norm` is the final norm's scale.)
 */
export function updateGraph(config: ModelConfig, options: StepOptions): Graph {
  return trace(() => {
    const { weights, loss, gradients } = differentiate(config, options);
    const norm = globalNorm(gradients);
    return { loss, gradNorm: norm, ...adamwUpdate(options.optimizer, parameters(config), weights, gradients, norm) };
  });
}

/** The graph of every micro-batch but the last: `loss`, and the gradient sums with this one's share added. */
export function accumulateGraph(config: ModelConfig, options: StepOptions): Graph {
  return trace(() => {
    const { loss, gradients } = differentiate(config, options);
    const sums = parameters(config).map(({ name }, i) => [sumName(name), gradients[i] as Value]);
    return { loss, ...Object.fromEntries(sums) };
  });
}

function differentiate(config: ModelConfig, options: StepOptions) {
  const {
    batch,
    length,
    accumulate = 1,
    recompute = false,
    block,
    attention,
    precision = "float32",
    logitElements,
  } = options;
  const tokens = input("tokens", "int32", [batch, length + 1]);
  const flat = (start: number) => reshape(slice(tokens, 1, start, start + length), [batch * length]);
  const values = weightInputs(config, "float32", precision);
  const weights = weightsOf(values, precision);
  const kv = causalStore(config, { batch, length, block, attention, precision });
  const hidden = transformer(config, weights, flat(0), kv);
  const loss = options.teacher
    ? distillationLoss(config, weights, hidden, flat(1), taught(options.teacher), logitElements)
    : crossEntropy(config, weights, hidden, flat(1), logitElements);
  const layers = new Set(config.sharing.map((_, layer) => layerName(layer)));
  const own = gradient(loss, [...values.values()], recompute ? { recompute: (scope) => layers.has(scope) } : {});
  const shared = own.map((part) => (accumulate === 1 ? part : mul(part, float(1 / accumulate))));
  const gradients = shared.map((part, i) => {
    const { name, shape } = parameters(config)[i] as { name: string; shape: readonly number[] };
    return accumulate === 1 ? part : add(part, input(sumName(name), part.dtype, shape));
  });
  return { weights, loss, gradients };

  function taught({ config: teacher, share }: StepTeacher) {
    const own = parameters(teacher).map(
      ({ name, shape }) => [name, input(teacherName(name), precisions[precision].parameters, shape)] as const,
    );
    const known = weightsOf(new Map(own), precision);
    const store = causalStore(teacher, { batch, length, block, attention, precision });
    return { config: teacher, weights: known, hidden: transformer(teacher, known, flat(0), store), share };
  }
}
