// How many sequences a step computes at once on a card: the most whose compiled step fits in its memory. The compiler says
// what a step takes, to the byte; nothing is estimated.

import { bytesText } from "../charts/quantity.ts";
import { InputError } from "../error.ts";
import type { ModelConfig } from "../model/config.ts";
import type { Shard } from "../model/parameter-layouts.ts";
import type { Device } from "../runtime/device.ts";
import type { StepTeacher } from "./step.ts";
import { compileStep, type StepRecipe } from "./step-programs.ts";

/** Of a card's free bytes, those that a step may take: transfers and a validation in between need some. */
export const usableBytes = (free: number): number => 0.92 * free;

/** What is to be trained, and how. */
export interface CardStep {
  readonly config: ModelConfig;
  readonly recipe: Omit<StepRecipe, "microBatch">;
  readonly shard?: Shard | undefined;
  readonly teacher?: StepTeacher | undefined;
  /** Bytes that a step may take; most of what is free if not given. */
  readonly available?: number;
}

/**
 * The largest divisor of the batch whose step fits on the device's cards; the whole batch where the runtime tells no bytes.
 * @throws InputError where not even one sequence a card fits, with what it would need.
 */
export async function fittingOnCard(device: Device, step: CardStep): Promise<number> {
  const { config, recipe, available = usableBytes(device.freeBytes()) } = step;
  const { data } = device.traits.mesh;
  const sizes = divisors(recipe.batch).filter((size) => size % data === 0);
  let needed = Number.NaN;
  for (let i = 0; i < sizes.length; i++) {
    const size = sizes[i] as number;
    const bytes = await stepBytes(device, step, size);
    if (bytes === undefined || bytes <= available) return size;
    needed = bytes;
    // What one sequence takes, at most: no size is passed over that may fit.
    const most = Number.isFinite(bytes) ? ((available * 1.1) / bytes) * size + data : size;
    while (i + 2 < sizes.length && (sizes[i + 1] as number) > most) i++;
  }
  const advice = [recipe.recompute ? [] : ["--recompute"], data > 1 && !step.shard ? ["--shard parameters"] : []];
  throw new InputError(
    `memory: a training step with ${data === 1 ? "one sequence" : `one sequence a card`} of ${config.context} tokens needs ${bytesText(needed)} ` +
      `on ${device.name}, ${bytesText(available)} can be used; try ${[...advice.flat(), "a smaller model", "a shorter context"].join(", ")}`,
    { code: "out_of_memory" },
  );
}

/** Checks a micro-batch that was asked for. @throws InputError where its step does not fit, with the largest that does. */
export async function checkOnCard(device: Device, step: CardStep, microBatch: number): Promise<void> {
  const { available = usableBytes(device.freeBytes()) } = step;
  const bytes = await stepBytes(device, step, microBatch);
  if (bytes === undefined || bytes <= available) return;
  const most = await fittingOnCard(device, step);
  throw new InputError(
    `--micro-batch: a step with ${microBatch} sequences needs ${bytesText(bytes)} on ${device.name}, ${bytesText(available)} can be used; at most ${most} fit`,
    { option: "microBatch", code: "out_of_memory" },
  );
}

/** Bytes that a step takes on each card; infinite where it cannot even be compiled, undefined where nobody says. */
async function stepBytes(device: Device, { config, recipe, shard, teacher }: CardStep, microBatch: number) {
  try {
    using programs = await compileStep(device, config, { ...recipe, microBatch }, shard, teacher);
    return programs.bytes;
  } catch (error) {
    if (error instanceof InputError && error.code === "out_of_memory") return Number.POSITIVE_INFINITY;
    throw error;
  }
}

function divisors(batch: number): number[] {
  return Array.from({ length: batch }, (_, i) => batch - i).filter((size) => batch % size === 0);
}
