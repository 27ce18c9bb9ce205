// Short trainings of tiny models, for tests that compare devices.

import { RunDirectory } from "../../src/checkpoint/run-directory.ts";
import type { ModelConfig } from "../../src/model/config.ts";
import type { Shard } from "../../src/model/parameter-layouts.ts";
import type { Device } from "../../src/runtime/device.ts";
import { Random } from "../../src/tensor/random.ts";
import type { Tensor, Tensors } from "../../src/tensor/tensor.ts";
import { type RecipeOptions, recipe } from "../../src/train/recipe.ts";
import { type TrainStep, train } from "../../src/train/training.ts";

/** What a short training gave. */
export interface Run {
  readonly losses: number[];
  readonly norms: number[];
  readonly weights: Tensors;
}

/** Trains a tiny model on random tokens, in `at` if given, until its end or `stop`. */
export async function run(
  device: Device,
  model: ModelConfig,
  options: Partial<RecipeOptions> = {},
  { at, stop, shard, warnings = [] }: { at?: string; stop?: number; shard?: Shard; warnings?: string[] } = {},
): Promise<Run> {
  const resolved = recipe({
    steps: 8,
    batch: 4,
    learningRate: 1e-2,
    seed: 3,
    threads: 2,
    validateEvery: 0,
    ...options,
  });
  let position = 0;
  const batches = {
    next: () => ({ tokens: batchAt(model, resolved.microBatch, position++) }),
    get position() {
      return position;
    },
    seek: (to: number) => {
      position = to;
    },
  };
  const stored = { name: "test", model, recipe: resolved, data: {} };
  const directory =
    at && (RunDirectory.exists(at) ? await RunDirectory.open(at) : await RunDirectory.create(at, stored, {}));
  const controller = new AbortController();
  const steps: TrainStep[] = [];
  const training = train({
    ...{ device, model, recipe: resolved, batches, shard, signal: controller.signal },
    onWarning: (text) => warnings.push(text),
    ...(directory ? { directory } : {}),
  });
  for (;;) {
    const next = await training.next();
    if (next.done) {
      const { weights } = next.value;
      return { losses: steps.map(({ loss }) => loss), norms: steps.map(({ gradNorm }) => gradNorm), weights };
    }
    steps.push(next.value);
    if (next.value.step === stop) controller.abort();
  }
}

/** Random tokens of a batch, fixed by its number. */
function batchAt({ vocab, context }: ModelConfig, count: number, position: number): Tensor<"int32"> {
  const random = new Random(1000 + position);
  const data = Int32Array.from({ length: count * (context + 1) }, () => random.below(vocab));
  return { dtype: "int32", shape: [count, context + 1], data };
}

/** The largest difference of two lists, relative where numbers are above 1. */
export function furthest(a: readonly number[], b: readonly number[]): number {
  return Math.max(...a.map((x, i) => Math.abs(x - (b[i] as number)) / Math.max(1, Math.abs(x))));
}

/** Weights that can be compared to the bit. */
export const bits = (weights: Tensors) =>
  Object.entries(weights).map(([name, { data }]) => [
    name,
    Buffer.from(new Uint8Array(data.buffer)).toString("base64"),
  ]);
