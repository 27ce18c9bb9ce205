// How a model is trained: everything but the model and the data. A resolved recipe has no defaults left to apply and is
// what a run stores, so that the run can be repeated and resumed.

import { availableParallelism } from "node:os";
import { z } from "zod";
import { InputError } from "../error.ts";
import { type Precision, precisions } from "../model/precision.ts";
import { type AdamW, adamw } from "./optimizer.ts";
import type { Schedule } from "./schedule.ts";

const count = z.int().min(1);
const fraction = z.number().min(0).max(1);

const schema = z.strictObject({
  steps: count.max(1e9),
  batch: count.max(1e6),
  microBatch: count,
  learningRate: z.number().positive().max(100),
  warmup: fraction,
  floor: fraction,
  seed: z.int().min(0).max(0xffffffff),
  optimizer: z.strictObject({
    beta1: z.number().min(0).lt(1),
    beta2: z.number().min(0).lt(1),
    epsilon: z.number().positive(),
    weightDecay: z.number().min(0),
    clip: z.number().positive(),
  }),
  recompute: z.boolean(),
  precision: z.enum(precisions).optional(),
  threads: count,
  checkpointEvery: z.int().min(0),
  validateEvery: z.int().min(0),
});

/** One training run's choices. */
export interface Recipe {
  /** Optimizer steps in all. */
  readonly steps: number;
  /** Sequences in a step. */
  readonly batch: number;
  /** Sequences computed at once; divides `batch`, whose gradients are summed over the micro-batches. */
  readonly microBatch: number;
  /** The schedule's peak. */
  readonly learningRate: number;
  /** Fraction of the steps in which the learning rate rises. */
  readonly warmup: number;
  /** Fraction of the peak that the learning rate ends at. */
  readonly floor: number;
  /** Fixes initial weights and the order of the data. */
  readonly seed: number;
  readonly optimizer: AdamW;
  /** Compute layers' inner values again in the backward pass: less memory, more time. */
  readonly recompute: boolean;
  /** What matrices are multiplied in; float32 if not said. */
  readonly precision?: Precision | undefined;
  /** Threads of each operation. */
  readonly threads: number;
  /** Steps between checkpoints; 0 for one at the end only. */
  readonly checkpointEvery: number;
  /** Steps between validations; 0 for none. */
  readonly validateEvery: number;
}

/** What `recipe` takes: the length, and whatever should differ from the defaults. */
export type RecipeOptions = Pick<Recipe, "steps"> & Partial<Omit<Recipe, "optimizer">> & { optimizer?: Partial<AdamW> };

/**
 * Resolves and checks a recipe. The paper's constants (§5.1) where it states them.
 * @throws InputError naming the first field that is wrong.
 */
export function recipe(options: RecipeOptions): Recipe {
  const batch = options.batch ?? 16;
  const filled = {
    batch,
    microBatch: batch,
    learningRate: 2e-3,
    warmup: 0.05,
    floor: 0.1,
    seed: 0,
    recompute: false,
    threads: availableParallelism(),
    checkpointEvery: 100,
    validateEvery: 100,
    ...Object.fromEntries(Object.entries(options).filter(([, set]) => set !== undefined)),
    optimizer: { ...adamw, ...options.optimizer },
  };
  const parsed = schema.safeParse(filled);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new InputError(`recipe: ${issue?.path.join(".") || "options"}: ${issue?.message}`);
  }
  const { microBatch } = parsed.data;
  if (parsed.data.batch % microBatch !== 0) {
    const divisors = Array.from({ length: batch }, (_, i) => i + 1).filter((size) => batch % size === 0);
    throw new InputError(
      `recipe: micro-batches of ${microBatch} do not divide a batch of ${batch}; use ${divisors.join(", ")}`,
    );
  }
  return parsed.data;
}

/** The schedule of a recipe's learning rate. */
export function scheduleOf({ learningRate, steps, warmup, floor }: Recipe): Schedule {
  return { peak: learningRate, steps, warmup, floor };
}
