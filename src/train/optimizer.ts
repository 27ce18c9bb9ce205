// AdamW (arXiv 1711.05101) with clipping by the global norm, as graph functions: gradients and moments in, new ones out.

import { z } from "zod";
import { add, div, min, mul, sqrt, sub, sumSquares } from "../graph/ops.ts";
import { float, input } from "../graph/trace.ts";
import type { Value } from "../graph/value.ts";
import type { Parameter } from "../model/parameters.ts";
import { scalar, type Tensors } from "../tensor/tensor.ts";

/** AdamW's constants, the paper's where nothing else is said; epsilon, which it does not state, is PyTorch's. */
export const adamwSchema = z.strictObject({
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.95),
  epsilon: z.number().positive().default(1e-8),
  /** Decoupled decay, a fraction of the learning rate; matrices only, not norms, biases and embeddings. */
  weightDecay: z.number().min(0).default(0.1),
  /** The global gradient norm above which gradients are scaled down. */
  clip: z.number().positive().default(1),
});

/** AdamW's constants. */
export type AdamW = Readonly<z.output<typeof adamwSchema>>;

/** The paper's constants. */
export const adamw: AdamW = adamwSchema.parse({});

/** The names of a parameter's moments, in graphs and checkpoints. */
export const momentNames = (name: string) => ({ first: `optimizer.m.${name}`, second: `optimizer.v.${name}` });

/** √Σ g² over all gradients. */
export function globalNorm(gradients: readonly Value[]): Value {
  return sqrt(gradients.map((gradient) => sumSquares(gradient)).reduce((a, b) => add(a, b)));
}

/**
 * New parameters and moments by name. The graph gets inputs for the moments and for what `stepScalars` gives.
 * Every result depends on `norm`, and so on all gradients: a runtime may write results over the inputs.
 */
export function adamwUpdate(
  { beta1, beta2, clip }: AdamW,
  parameters: readonly Pick<Parameter, "name" | "shape" | "role">[],
  weights: (name: string) => Value,
  gradients: readonly Value[],
  norm: Value,
): Record<string, Value> {
  const [rate, epsilon, kept] = ["rate", "epsilon", "kept"].map((name) => input(name, "float32", [])) as [
    Value,
    Value,
    Value,
  ];
  const scale = min(float(1), div(float(clip), add(norm, float(1e-6)))); // as torch.nn.utils.clip_grad_norm_
  const updated: Record<string, Value> = {};
  for (const [i, { name, shape, role }] of parameters.entries()) {
    const moments = momentNames(name);
    const gradient = mul(gradients[i] as Value, scale);
    const square = mul(gradient, gradient);
    const m = add(mul(input(moments.first, "float32", shape), float(beta1)), mul(gradient, float(1 - beta1)));
    const v = add(mul(input(moments.second, "float32", shape), float(beta2)), mul(square, float(1 - beta2)));
    const step = mul(div(m, add(sqrt(v), epsilon)), rate);
    const weight = weights(name);
    updated[moments.first] = m;
    updated[moments.second] = v;
    updated[name] = sub(role === "matrix" ? mul(weight, kept) : weight, step);
  }
  return updated;
}

/**
 * The scalars of step `step` (from 0) at `learningRate`, with the bias corrections folded in:
 * lr·m̂/(√v̂ + ε) = rate·m/(√v + epsilon). `kept` is what decay leaves of a weight.
 */
export function stepScalars(
  { beta1, beta2, epsilon, weightDecay }: AdamW,
  step: number,
  learningRate: number,
): Tensors {
  const [first, second] = [1 - beta1 ** (step + 1), Math.sqrt(1 - beta2 ** (step + 1))];
  return {
    rate: scalar((learningRate * second) / first),
    epsilon: scalar(epsilon * second),
    kept: scalar(1 - learningRate * weightDecay),
  };
}
