// The micro-batch of a step on any device: the one that was asked for, or the largest that fits.

import type { ModelConfig } from "../model/config.ts";
import type { Shard } from "../model/parameter-layouts.ts";
import type { Device } from "../runtime/device.ts";
import { checkOnCard, fittingOnCard, usableBytes } from "./card-memory.ts";
import { checkMicroBatch, fittingMicroBatch } from "./micro-batch.ts";
import type { StepTeacher } from "./step.ts";
import type { StepRecipe } from "./step-programs.ts";

/** What is asked for beside the recipe. */
export interface FittingOptions {
  /** The largest that fits if not given. */
  readonly microBatch?: number | undefined;
  readonly shard?: Shard | undefined;
  readonly teacher?: StepTeacher | undefined;
  /** Free bytes to plan with; the device's own if not given. */
  readonly free?: number | undefined;
}

/** The micro-batch that was asked for, or the largest that fits. @throws InputError where it, or any, does not. */
export async function fittingStep(
  device: Device,
  config: ModelConfig,
  recipe: StepRecipe,
  { microBatch, shard, teacher, free = device.freeBytes() }: FittingOptions,
): Promise<number> {
  if (device.traits.memory === "device") {
    const step = { config, recipe, shard, teacher, available: usableBytes(free) };
    if (microBatch === undefined) return fittingOnCard(device, step);
    await checkOnCard(device, step, microBatch);
    return microBatch;
  }
  if (microBatch === undefined) return fittingMicroBatch(config, { ...recipe, teacher, available: free });
  checkMicroBatch(config, { ...recipe, microBatch, teacher }, free);
  return microBatch;
}
