// How many sequences a step computes at once: the most that fit in memory, by the step's own graph, so that sharing,
// vocabulary and recomputation are all counted.

import { InputError } from "../error.ts";
import type { ModelConfig } from "../model/config.ts";
import { parameterCount } from "../model/cost.ts";
import { graphMemory } from "../plan/graph-memory.ts";
import { freeHostBytes } from "../runtime/host-memory.ts";
import { adamw } from "./optimizer.ts";
import { accumulateGraph, type StepTeacher, updateGraph } from "./step.ts";

/** The part of free memory that a step is given: the estimate is not exact, and others need some. */
const usableFraction = 0.8;

/** Bytes a step is expected to take: parameters, moments, gradients and what is alive at the fullest moment. */
export function stepMemory(
  config: ModelConfig,
  {
    microBatch,
    accumulate,
    recompute,
    teacher,
  }: { microBatch: number; accumulate: number; recompute: boolean; teacher?: StepTeacher | undefined },
): number {
  const options = { batch: microBatch, length: config.context, optimizer: adamw, accumulate, recompute, teacher };
  const graphs = accumulate > 1 ? [accumulateGraph, updateGraph] : [updateGraph];
  return Math.max(
    ...graphs.map((build) => {
      const { inputs, peak } = graphMemory(build(config, options));
      return inputs + peak;
    }),
  );
}

/**
 * The largest divisor of `batch` whose step fits in `available` bytes, by default what the machine has free.
 * @throws InputError where not even one sequence fits, with what it would need.
 */
export function fittingMicroBatch(
  config: ModelConfig,
  {
    batch,
    recompute,
    available = freeHostBytes(),
    teacher,
  }: { batch: number; recompute: boolean; available?: number; teacher?: StepTeacher | undefined },
): number {
  let needed = leastMemory(config, 1);
  if (needed > available) throw tooMuch(config, { microBatch: 1, recompute, needed, available });
  for (let microBatch = batch; microBatch >= 1; microBatch--) {
    if (batch % microBatch !== 0) continue;
    needed = stepMemory(config, { microBatch, accumulate: batch / microBatch, recompute, teacher });
    if (needed <= usableFraction * available) return microBatch;
  }
  throw tooMuch(config, { microBatch: 1, recompute, needed, available });
}

/** Throws InputError where a step with the recipe's micro-batch would need more than `available` bytes. */
export function checkMicroBatch(
  config: ModelConfig,
  {
    batch,
    microBatch,
    recompute,
    teacher,
  }: { batch: number; microBatch: number; recompute: boolean; teacher?: StepTeacher | undefined },
  available: number,
): void {
  const least = leastMemory(config, microBatch);
  const needed =
    least > available ? least : stepMemory(config, { microBatch, accumulate: batch / microBatch, recompute, teacher });
  if (needed > available) throw tooMuch(config, { microBatch, recompute, needed, available });
}

/**
 * Bytes that a step takes at least, told without its graph, which itself grows with the context's square: parameters,
 * moments and gradients, each layer's input, and the causal half of a mask and of one layer's attention.
 */
export function leastMemory(config: ModelConfig, microBatch: number): number {
  const { context, width, layers, heads } = config;
  const attention = ((1 + microBatch * heads) * context ** 2) / 2;
  return 4 * (4 * parameterCount(config).total + microBatch * context * width * layers + attention);
}

function tooMuch(
  { context }: ModelConfig,
  asked: { microBatch: number; recompute: boolean; needed: number; available: number },
): InputError {
  const { microBatch, recompute, needed, available } = asked;
  const sequences = microBatch === 1 ? "one sequence" : `micro-batches of ${microBatch} sequences`;
  const advice = [
    ...(microBatch > 1 ? ["a smaller --micro-batch"] : []),
    ...(recompute ? [] : ["--recompute"]),
    "a smaller model or a shorter context",
  ];
  return new InputError(
    `memory: a training step with ${sequences} of ${context} tokens needs about ${gigabytes(needed)}, ` +
      `${gigabytes(available)} is free; try ${advice.join(", ")}`,
  );
}

function gigabytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
