// `crosslayer plan`: what fits in memory, of a run, a model by its name, or a model of another project.

import { Command, Option } from "commander";
import { InputError } from "../error.ts";
import { modelConfig } from "../model/config.ts";
import { type KvFormat, kvFormats, type WeightFormat, weightFormats } from "../model/formats.ts";
import { modelName } from "../model/model-name.ts";
import { scales } from "../model/name.ts";
import { kebabCase } from "../options.ts";
import { blockSize } from "../plan/kv-blocks.ts";
import { checkCuts, evenCuts } from "../plan/pipeline.ts";
import { type Capacity, type PlanRequest, type ServingPlan, servingPlan } from "../plan/serving-plan.ts";
import { tensorSplit } from "../plan/tensor-parallel.ts";
import { recipeSchema } from "../train/recipe.ts";
import { deviceOptions, shardOption } from "./device-options.ts";
import { type ModelFlags, modelOptions, standardSizes } from "./model-options.ts";
import { between, count, partOrSize, size, whole, wholes } from "./numbers.ts";
import { option } from "./option.ts";
import { planText } from "./plan-text.ts";
import { runTrainPlan, type TrainPlanFlags } from "./plan-train.ts";
import { type PlannedModel, plannedModel } from "./planned-model.ts";
import { standard } from "./train-run.ts";

interface Flags extends ModelFlags, TrainPlanFlags {
  train?: boolean;
  reserve?: number;
  context?: number;
  weights?: WeightFormat;
  kvDtype?: KvFormat;
  tp?: number;
  pp?: number;
  cuts?: number[];
  vocab?: number;
}

/** Options that say something of one kind of plan alone. */
const [ofServing, ofTraining] = [
  ["reserve", "weights", "kvDtype", "tp", "pp", "cuts"],
  ["device", "devices", "precision", "shard", "threads", "microBatch", "steps", "tokens", "recompute", "mfu"],
] as const;

/** The subcommand. */
export function planCommand(): Command {
  const command = new Command("plan")
    .description(
      "what fits in memory: batch, context, devices, beside the same model without sharing; or what training takes",
    )
    .argument("[model|run|config.json]", "a name such as H128-MQA-CLA2, a run's directory, or a Hugging Face config")
    .option(
      "--memory <size>",
      "memory of each device: 24GB, 512MB (decimal), 16GiB (binary); with --train, what is free if not given",
      size,
    )
    .option("--reserve <size>", "of that, for activations and all else: an amount, or a part such as 0.1", partOrSize)
    .option("--context <tokens>", "count sequences of this length (default: the model's context)", whole(1))
    .option(
      "--batch <count>",
      "find the longest context of so many sequences (default: 1); with --train, sequences in a step (default: 16)",
      whole(1),
    )
    .addOption(new Option("--weights <type>", `how weights are kept ${kept}`).choices(Object.keys(weightFormats)))
    .addOption(new Option("--kv-dtype <type>", `how keys and values are kept ${kept}`).choices(Object.keys(kvFormats)))
    .option("--tp <devices>", "tensor parallel: devices that share every layer (default: 1)", whole(1))
    .option("--pp <stages>", "pipeline parallel: stages of layers (default: 1)", whole(1))
    .option("--cuts <layers>", "first layers of the stages but the first: 8,16,24 (default: even stages)", wholes(1))
    .option("--scale <size>", `the paper's sizes: ${Object.keys(scales).join(", ")}`);
  return shardOption(deviceOptions(modelOptions(command)))
    .option("--train", "plan a training run on --device: memory, micro-batch, hours")
    .addOption(option(recipeSchema, "steps", "<count>", { told: `${standard.steps}; with --train` }))
    .option("--tokens <count>", "tokens to train on instead of --steps, as in 10M; with --train", count)
    .addOption(option(recipeSchema, "microBatch", "<sequences>", { told: "what fits in memory; with --train" }))
    .addOption(option(recipeSchema, "recompute", "", { told: "" }))
    .addOption(option(recipeSchema, "threads", "<count>", { told: "all cores; with --train" }))
    .option(
      "--mfu <share>",
      "assume this share of the card's published peak, as in 0.4, instead of taking steps; with --train",
      between(0, 1),
    )
    .option("--vocab <tokens>", `vocabulary, for sizes by --depth (default: ${standardSizes.vocab})`, whole(257))
    .option("--json", "print one JSON object")
    .action(runPlan);
}

const kept = "(default: float32 for a run, float16 for others)";

async function runPlan(target: string | undefined, flags: Flags): Promise<void> {
  const amiss = (flags.train ? ofServing : ofTraining).find((name) => flags[name] !== undefined);
  if (amiss) {
    throw new InputError(
      `--${kebabCase(amiss)} is for plans of ${flags.train ? "serving; leave out --train" : "training; add --train"}`,
    );
  }
  const planned = await plannedModel(target, flags);
  const { model, dtype } = planned;
  if (flags.train)
    return runTrainPlan(
      { ...planned, model: modelConfig({ ...model, context: flags.context ?? model.context }) },
      flags,
    );
  const { memory, reserve = 0, tp = 1, batch = 1 } = flags;
  if (memory === undefined) {
    throw new InputError("plan: --memory is missing, as in --memory 24GB; or plan a training run with --train");
  }
  const request: PlanRequest = {
    memory,
    reserve: Math.ceil(reserve < 1 ? reserve * memory : reserve),
    context: flags.context ?? model.context,
    batch,
    weights: flags.weights ?? dtype,
    kvDtype: flags.kvDtype ?? dtype,
    tensor: tensorSplit(model, tp),
    cuts: cutsOf(flags, model.layers),
    blockSize,
  };
  const plan = servingPlan(model, request);
  console.log(flags.json ? JSON.stringify(facts(planned, plan)) : planText(planned, plan));
}

function cutsOf({ pp, cuts }: Flags, layers: number): readonly number[] {
  if (cuts === undefined) return evenCuts(layers, pp ?? 1);
  if (pp !== undefined && pp !== cuts.length + 1) {
    throw new InputError(
      `--cuts ${cuts.join(",")} make ${cuts.length + 1} stages, --pp asks for ${pp}; give one of them`,
    );
  }
  return checkCuts(cuts, layers);
}

function facts({ model, origin, notes }: PlannedModel, { request, capacity, unshared, splits, whole }: ServingPlan) {
  const shown = ({ devices, ...rest }: Capacity) => ({
    ...rest,
    devices: devices.map(({ kv: _, ...device }) => device),
  });
  return {
    name: modelName(model),
    ...(origin !== undefined && { origin }),
    ...request,
    tokens: capacity.blocks * request.blockSize,
    capacity: shown(capacity),
    unshared: unshared ? shown(unshared) : null,
    splits,
    sentBytesPerToken: splits.reduce((sum, { bytesPerToken }) => sum + bytesPerToken, 0),
    whole: whole ? { cuts: whole.cuts, capacity: shown(whole.capacity) } : null,
    notes,
    model,
  };
}
