// Whether tensors are a model's weights: every parameter there, of the right type and shape, and nothing else. Keys and
// values that a borrower would not use are no mistake: other trainers store them, so they are left out and reported.

import { InputError } from "../error.ts";
import type { ModelConfig } from "../model/config.ts";
import { modelName } from "../model/model-name.ts";
import { parameters, redundantNames } from "../model/parameters.ts";
import { type Tensor, type Tensors, tensorOf } from "../tensor/tensor.ts";
import { quote } from "./safetensors-header.ts";

/** What the names of an optimizer's tensors begin with, in checkpoints. */
const optimizerPrefix = "optimizer.";

/** Whether a tensor of a checkpoint is a parameter. */
export function isWeight(name: string): boolean {
  return !name.startsWith(optimizerPrefix);
}

/** A model's weights, or what is known of them. */
export interface Weights<Known = Tensor> {
  /** Exactly the parameters, in their order. */
  readonly tensors: Readonly<Record<string, Known>>;
  /** Names of redundant tensors that were left out: keys and values of borrowers. */
  readonly ignored: readonly string[];
}

/**
 * Picks a model's parameters from `tensors`; `source` is named in errors.
 * @throws InputError if one is missing, extra, or not float32 of its shape.
 */
export function pickWeights<Known extends Pick<Tensor, "dtype" | "shape">>(
  source: string,
  config: ModelConfig,
  tensors: Readonly<Record<string, Known>>,
): Weights<Known> {
  const expected = parameters(config);
  const fail = (problem: string) => new InputError(`${source}: ${problem}; is it another model's?`);
  const missing = expected.filter(({ name }) => !Object.hasOwn(tensors, name)).map(({ name }) => name);
  if (missing.length > 0) throw fail(`${modelName(config)} needs ${list(missing)}, which the file has not`);
  const known = new Set(expected.map(({ name }) => name));
  const others = Object.keys(tensors).filter((name) => !known.has(name));
  const redundant = redundantNames(config);
  const extra = others.filter((name) => !redundant.has(name));
  if (extra.length > 0) throw fail(`${modelName(config)} has no ${list(extra)}, which the file has`);
  const picked = expected.map(({ name, shape }) => {
    const found = tensors[name] as Known;
    if (found.dtype !== "float32" || found.shape.join() !== shape.join()) {
      throw fail(`${name} must be float32 [${shape.join(", ")}], found ${found.dtype} [${found.shape.join(", ")}]`);
    }
    return [name, found] as const;
  });
  return { tensors: Object.fromEntries(picked), ignored: others };
}

/** Float32 tensors rounded to bfloat16. */
export function inBfloat16(tensors: Tensors): Tensors {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, data }]) => [name, tensorOf("bfloat16", shape, data as Float32Array)]),
  );
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 3).map(quote).join(", ");
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
