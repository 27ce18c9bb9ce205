// What a training run takes on a device, before it is begun: memory by the compiled step, time by steps that are taken, or
// by a share of the peak that is assumed.

import { InputError } from "../error.ts";
import type { ModelConfig } from "../model/config.ts";
import { flopsPerToken, parameterCount } from "../model/cost.ts";
import type { Shard } from "../model/parameter-layouts.ts";
import type { Device } from "../runtime/device.ts";
import { peakFlops } from "../runtime/peak-flops.ts";
import { median } from "../tensor/estimate.ts";
import { Random } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { usableBytes } from "./card-memory.ts";
import { fittingStep } from "./fitting-step.ts";
import { stepMemory } from "./micro-batch.ts";
import type { Recipe } from "./recipe.ts";
import { compileStep } from "./step-programs.ts";
import { Trainer } from "./trainer.ts";

/** What to plan with. */
export interface TrainPlanOptions {
  /** The largest that fits if not given. */
  readonly microBatch?: number | undefined;
  readonly shard?: Shard | undefined;
  /** Bytes of memory, of each card; what the device has free if not given. */
  readonly memory?: number | undefined;
  /** The share of the card's peak to assume instead of taking steps. */
  readonly mfu?: number | undefined;
}

/** What a run takes. */
export interface TrainPlan {
  readonly recipe: Recipe;
  /** Bytes of a step on each card: the compiler's count, or an estimate of the graph on the CPU. */
  readonly stepBytes: number | undefined;
  /** Of these, float32 weights and moments. */
  readonly stateBytes: number;
  /** Bytes that a step may take. */
  readonly usableBytes: number;
  readonly secondsPerStep: number;
  readonly tokensPerSecond: number;
  /** Of the published peak in bfloat16, where one is known. */
  readonly mfu: number | undefined;
  /** Operations a second. */
  readonly peak: number | undefined;
  /** Steps that the time was measured by; 0 where `mfu` was assumed. */
  readonly measuredSteps: number;
  /** The whole run's, without validations and checkpoints. */
  readonly seconds: number;
}

/** Steps that are timed after the first, and seconds after which no more are taken. */
const [timedSteps, timedSeconds] = [5, 20];

/** @throws InputError where no step fits, or a share of a peak is assumed that nobody knows. */
export async function trainPlan(
  device: Device,
  config: ModelConfig,
  asked: Recipe,
  { microBatch, shard, memory, mfu: assumed }: TrainPlanOptions = {},
): Promise<TrainPlan> {
  const peak = peakFlops(device);
  if (assumed !== undefined && peak === undefined) {
    throw new InputError(
      `--mfu: no published peak is known of ${device.kind}; leave it out, and steps are taken to measure the time`,
    );
  }
  const free = memory ?? device.freeBytes();
  const recipe = { ...asked, microBatch: await fittingStep(device, config, asked, { microBatch, shard, free }) };
  const flops = 3 * flopsPerToken(config, config.context / 2);
  const tokens = recipe.batch * config.context;
  const { bytes, measured } =
    assumed === undefined
      ? await trained(device, config, recipe, shard)
      : await compiled(device, config, recipe, shard);
  const secondsPerStep = measured?.seconds ?? (tokens * flops) / ((assumed as number) * (peak as number));
  const isCard = device.traits.memory === "device";
  return {
    recipe,
    stepBytes: isCard ? bytes : stepMemory(config, { ...recipe, accumulate: recipe.batch / recipe.microBatch }),
    stateBytes: (3 * 4 * parameterCount(config).total) / (shard ? device.traits.mesh.data : 1),
    usableBytes: isCard ? usableBytes(free) : free,
    secondsPerStep,
    tokensPerSecond: tokens / secondsPerStep,
    mfu: peak && (tokens * flops) / (secondsPerStep * peak),
    peak,
    measuredSteps: measured?.steps ?? 0,
    seconds: secondsPerStep * recipe.steps,
  };
}

/** What a step takes: bytes where the runtime says, and time where steps were taken. */
interface StepCost {
  readonly bytes: number | undefined;
  readonly measured?: { readonly seconds: number; readonly steps: number };
}

async function compiled(device: Device, config: ModelConfig, recipe: Recipe, shard?: Shard): Promise<StepCost> {
  using programs = await compileStep(device, config, recipe, shard);
  return { bytes: programs.bytes };
}

async function trained(device: Device, config: ModelConfig, recipe: Recipe, shard?: Shard): Promise<StepCost> {
  using trainer = await Trainer.create(device, config, recipe, shard);
  return { bytes: trainer.bytes, measured: await measure(trainer, config) };
}

/** The median of a few steps on random tokens, the first of which is not counted. */
async function measure(trainer: Trainer, { vocab, context }: ModelConfig): Promise<{ seconds: number; steps: number }> {
  const random = new Random(0);
  const shape = [trainer.recipe.microBatch, context + 1] as const;
  const data = Int32Array.from({ length: shape[0] * shape[1] }, () => random.below(vocab));
  const tokens: Tensor<"int32"> = { dtype: "int32", shape, data };
  const times: number[] = [];
  const began = performance.now();
  for (let step = 0; step <= timedSteps; step++) {
    const start = performance.now();
    await (await trainer.step(() => tokens)).report();
    if (step > 0) times.push((performance.now() - start) / 1000);
    if (times.length > 0 && performance.now() - began > 1000 * timedSeconds) break;
  }
  return { seconds: median(times), steps: times.length };
}
