// How a model is trained: everything but the model and the data. A resolved recipe has no defaults left to apply and is
// what a run stores, so that the run can be repeated and resumed.

import { availableParallelism } from "node:os";
import { z } from "zod";
import { InputError } from "../error.ts";
import { precisionNames } from "../model/precision.ts";
import { checked } from "../options.ts";
import { adamwSchema } from "./optimizer.ts";
import type { Schedule } from "./schedule.ts";

const count = z.int().min(1);
const fraction = z.number().min(0).max(1);

/** A recipe's choices with their defaults: the paper's constants (§5.1) where it states them. */
export const recipeSchema = z.strictObject({
  /** Optimizer steps in all. */
  steps: count.max(1e9).describe("optimizer steps"),
  /** Sequences in a step. */
  batch: count.max(1e6).default(16).describe("sequences in a step"),
  /** Sequences computed at once; divides `batch`, whose gradients are summed over the micro-batches. All if not given. */
  microBatch: count.max(1e6).optional().describe("sequences computed at once"),
  /** The schedule's peak. */
  learningRate: z.number().positive().max(100).default(2e-3).describe("the schedule's peak"),
  /** Fraction of the steps in which the learning rate rises. */
  warmup: fraction.default(0.05),
  /** Fraction of the peak that the learning rate ends at. */
  floor: fraction.default(0.1),
  /** Fixes initial weights and the order of the data. */
  seed: z.int().min(0).max(0xffffffff).default(0).describe("fixes weights and data order"),
  optimizer: adamwSchema.prefault({}),
  /** Compute layers' inner values again in the backward pass: less memory, more time. */
  recompute: z
    .boolean()
    .default(false)
    .describe("compute activations again in the backward pass: less memory, more time"),
  /** What matrices are multiplied in; float32 if not said. */
  precision: z.enum(precisionNames).optional(),
  /** What the final weights are kept in; float32 if not said. Checkpoints are float32 always. */
  saveDtype: z.enum(precisionNames).optional().describe("what the final weights are kept in"),
  /** Threads of each operation; all cores if not given. */
  threads: count.max(1024).default(availableParallelism).describe("threads of each operation"),
  /** Steps between checkpoints; 0 for one at the end only. */
  checkpointEvery: z.int().min(0).max(1e9).default(100).describe("0 for one at the end only"),
  /** Steps between validations; 0 for none. */
  validateEvery: z.int().min(0).max(1e9).default(100).describe("0 for never"),
});

/** What `recipe` takes: the length, and whatever should differ from the defaults. */
export type RecipeOptions = Readonly<z.input<typeof recipeSchema>>;

/** One training run's choices. */
export interface Recipe extends Readonly<z.output<typeof recipeSchema>> {
  readonly microBatch: number;
}

/** Resolves and checks a recipe. @throws InputError naming the first field that is wrong. */
export function recipe(options: RecipeOptions): Recipe {
  const { steps, batch, microBatch = batch, ...rest } = checked(recipeSchema, options, "recipe");
  if (batch % microBatch !== 0) {
    const divisors = Array.from({ length: batch }, (_, i) => i + 1).filter((size) => batch % size === 0);
    throw new InputError(
      `recipe: micro-batches of ${microBatch} do not divide a batch of ${batch}; use ${divisors.join(", ")}`,
      { option: "microBatch" },
    );
  }
  return { steps, batch, microBatch, ...rest }; // in the schema's order, by which runs are told apart
}

/** The schedule of a recipe's learning rate. */
export function scheduleOf({ learningRate, steps, warmup, floor }: Recipe): Schedule {
  return { peak: learningRate, steps, warmup, floor };
}
