// `crosslayer plan --train`: memory, micro-batch and hours of a training run on a device, before it is begun.

import pc from "picocolors";
import { bytesText, countText, durationText, integerText } from "../charts/quantity.ts";
import { parameterCount } from "../model/cost.ts";
import { modelName } from "../model/model-name.ts";
import { recipe, recipeSchema } from "../train/recipe.ts";
import { type TrainPlan, trainPlan } from "../train/train-plan.ts";
import { type DeviceFlags, openAsked, precisionOn } from "./device-options.ts";
import type { PlannedModel } from "./planned-model.ts";
import { askedSteps, checkLength } from "./train-run.ts";

/** What the command is asked for beside the model. */
export interface TrainPlanFlags extends DeviceFlags {
  memory?: number;
  batch?: number;
  microBatch?: number;
  steps?: number;
  tokens?: number;
  recompute?: boolean;
  mfu?: number;
  json?: boolean;
}

/** Plans and prints. @throws InputError where no step fits. */
export async function runTrainPlan({ model, origin }: PlannedModel, flags: TrainPlanFlags): Promise<void> {
  checkLength(flags);
  await using device = await openAsked(flags);
  const precision = precisionOn(device, flags.precision);
  const batch = recipeSchema.shape.batch.parse(flags.batch);
  const { microBatch, recompute, threads, shard, memory, mfu } = flags;
  const steps = askedSteps(flags, batch * model.context);
  const asked = recipe({ steps, batch, microBatch, recompute, precision, threads });
  const plan = await trainPlan(device, model, asked, { microBatch, shard, memory, mfu });
  const { name, kind, runtime } = device;
  if (flags.json) {
    const { recipe, ...figures } = plan;
    const { batch, microBatch, recompute } = recipe;
    const run = { batch, microBatch, recompute, precision: precision ?? "float32", context: model.context, steps };
    const facts = { name: modelName(model), parameters: parameterCount(model).total, device: { name, kind, runtime } };
    console.log(JSON.stringify({ ...facts, ...run, shard: shard ?? null, ...figures }));
    return;
  }
  const heading = `${modelName(model)}, ${countText(parameterCount(model).total)} parameters`;
  const lines = [
    pc.bold(heading) + (origin === undefined ? "" : `  (${origin})`),
    `  on ${name}: ${kind}, ${runtime}, ${precision ?? "float32"}`,
    "",
    ...planLines(plan, model.context, microBatch !== undefined),
  ];
  console.log(lines.join("\n"));
}

function planLines(plan: TrainPlan, context: number, isAsked: boolean): string[] {
  const { recipe, stepBytes, stateBytes, usableBytes, measuredSteps, mfu, peak } = plan;
  const { steps, batch, microBatch, recompute } = recipe;
  const sequences = (count: number) => `${integerText(count)} ${count === 1 ? "sequence" : "sequences"}`;
  const share = mfu === undefined ? "" : `MFU ${(100 * mfu).toFixed(1)}% of ${(peak as number) / 1e12} TF/s`;
  const basis =
    measuredSteps > 0
      ? `measured, the median of ${measuredSteps}${share && `: ${share}`}`
      : `not measured: ${share} is assumed`;
  const chosen = isAsked ? "as asked" : microBatch === batch ? "the whole batch" : "the largest that fits";
  return [
    `  step         ${sequences(batch)} of ${integerText(context)} tokens`,
    `  micro-batch  ${integerText(microBatch)}, ${chosen}${recompute ? ", activations computed again" : ""}`,
    `  memory       ${stepBytes === undefined ? "not told by the runtime" : bytesText(stepBytes)}, of it weights and moments ${bytesText(stateBytes)}; ${bytesText(usableBytes)} can be used`,
    `  a step       ${stepText(plan.secondsPerStep)}, ${integerText(plan.tokensPerSecond)} tokens/s (${basis})`,
    `  the run      ${integerText(steps)} steps, ${countText(steps * batch * context)} tokens: ${durationText(plan.seconds)}, validations and checkpoints not counted`,
  ];
}

function stepText(seconds: number): string {
  return seconds < 1 ? `${Number((1000 * seconds).toPrecision(3))} ms` : durationText(seconds);
}
