// A recipe's step, compiled for a device: what it runs, how its tensors lie, and what memory it takes there.

import { InputError } from "../error.ts";
import type { ModelConfig } from "../model/config.ts";
import { parameterCount } from "../model/cost.ts";
import { parameterLayouts, type Shard } from "../model/parameter-layouts.ts";
import type { Device, Program } from "../runtime/device.ts";
import type { Layouts, Mesh } from "../tensor/layout.ts";
import { momentNames } from "./optimizer.ts";
import type { Recipe } from "./recipe.ts";
import { accumulateGraph, type StepOptions, type StepTeacher, sumName, teacherName, updateGraph } from "./step.ts";

/** What fixes the programs of a step. */
export type StepRecipe = Pick<Recipe, "batch" | "microBatch" | "optimizer" | "recompute" | "precision">;

/** The programs of a step. */
export interface StepPrograms extends Disposable {
  /** Moves weights and moments by the last micro-batch and the sums of those before. */
  readonly update: Program;
  /** Adds up the gradients of every micro-batch but the last; none where a step is one micro-batch. */
  readonly accumulate: Program | undefined;
  /** How weights, moments, summed gradients and tokens lie. */
  readonly layouts: Layouts;
  /** Bytes that a step takes on each processor, by the compiler's count, where the runtime says. */
  readonly bytes: number | undefined;
}

/**
 * Compiles a step. On several processors sequences are split over them; with `shard`, parameters and moments too.
 * @throws InputError where a micro-batch does not divide over them.
 */
export async function compileStep(
  device: Device,
  config: ModelConfig,
  { batch, microBatch, optimizer, recompute, precision }: StepRecipe,
  shard?: Shard,
  teacher?: StepTeacher,
): Promise<StepPrograms> {
  const { attention, attentionBlock, logitElements, mesh } = device.traits;
  const layouts = {
    ...stepLayouts(config, microBatch, mesh, shard),
    ...(teacher && teacherLayouts(teacher, mesh, shard)),
  };
  const accumulates = batch / microBatch;
  const options: StepOptions = {
    ...{ batch: microBatch, length: config.context, optimizer, accumulate: accumulates, recompute, precision },
    ...{ attention, block: attentionBlock, logitElements, teacher },
  };
  const compiling = device.compile(updateGraph(config, options), { layouts });
  const accumulate = accumulates > 1 ? await device.compile(accumulateGraph(config, options), { layouts }) : undefined;
  const update = await compiling;
  return {
    update,
    accumulate,
    layouts,
    bytes: stepBytes(config, update, accumulate, shard ? mesh.data : 1),
    [Symbol.dispose]() {
      update[Symbol.dispose]();
      accumulate?.[Symbol.dispose]();
    },
  };
}

/** Of the larger program: while gradients are added up the moments stay where they are, unused. */
function stepBytes(config: ModelConfig, update: Program, accumulate: Program | undefined, shards: number) {
  if (update.bytes === undefined || accumulate?.bytes === undefined) return update.bytes;
  return Math.max(update.bytes, accumulate.bytes + (2 * 4 * parameterCount(config).total) / shards);
}

function teacherLayouts({ config }: StepTeacher, mesh: Mesh, shard: Shard | undefined): Layouts {
  const own = Object.entries(parameterLayouts(config, mesh, shard));
  return Object.fromEntries(own.map(([name, layout]) => [teacherName(name), layout]));
}

function stepLayouts(config: ModelConfig, microBatch: number, mesh: Mesh, shard: Shard | undefined): Layouts {
  if (microBatch % mesh.data !== 0) {
    throw new InputError(
      `training: a micro-batch of ${microBatch} sequences does not divide over ${mesh.data} cards; make it a multiple of ${mesh.data}`,
    );
  }
  const weights = Object.entries(parameterLayouts(config, mesh, shard));
  const all = weights.flatMap(([name, layout]) =>
    [name, sumName(name), ...Object.values(momentNames(name))].map((named) => [named, layout] as const),
  );
  return { ...Object.fromEntries(all), tokens: ["data"] };
}
