// `crosslayer plan`: what fits in memory, of a run, a model by its name, or a model of another project.

import { Command, Option } from "commander";
import { InputError } from "../error.ts";
import { type KvFormat, kvFormats, type WeightFormat, weightFormats } from "../model/formats.ts";
import { modelName } from "../model/model-name.ts";
import { scales } from "../model/name.ts";
import { blockSize } from "../plan/kv-blocks.ts";
import { checkCuts, evenCuts } from "../plan/pipeline.ts";
import { type Capacity, type PlanRequest, type ServingPlan, servingPlan } from "../plan/serving-plan.ts";
import { tensorSplit } from "../plan/tensor-parallel.ts";
import { type ModelFlags, modelOptions, standardSizes } from "./model-options.ts";
import { partOrSize, size, whole, wholes } from "./numbers.ts";
import { planText } from "./plan-text.ts";
import { type PlannedModel, plannedModel } from "./planned-model.ts";

interface Flags extends ModelFlags {
  memory: number;
  reserve: number;
  context?: number;
  batch: number;
  weights?: WeightFormat;
  kvDtype?: KvFormat;
  tp: number;
  pp?: number;
  cuts?: number[];
  vocab?: number;
  json?: boolean;
}

/** The subcommand. */
export function planCommand(): Command {
  const command = new Command("plan")
    .description("what fits in memory: batch, context, devices, beside the same model without sharing")
    .argument("[model|run|config.json]", "a name such as H128-MQA-CLA2, a run's directory, or a Hugging Face config")
    .requiredOption("--memory <size>", "memory of each device: 24GB, 512MB (decimal), 16GiB (binary)", size)
    .option(
      "--reserve <size>",
      "of that, for activations and all else: an amount, or a part such as 0.1",
      partOrSize,
      0,
    )
    .option("--context <tokens>", "count sequences of this length (default: the model's context)", whole(1))
    .option("--batch <count>", "find the longest context of so many sequences", whole(1), 1)
    .addOption(new Option("--weights <type>", `how weights are kept ${standard}`).choices(Object.keys(weightFormats)))
    .addOption(
      new Option("--kv-dtype <type>", `how keys and values are kept ${standard}`).choices(Object.keys(kvFormats)),
    )
    .option("--tp <devices>", "tensor parallel: devices that share every layer", whole(1), 1)
    .option("--pp <stages>", "pipeline parallel: stages of layers (default: 1)", whole(1))
    .option("--cuts <layers>", "first layers of the stages but the first: 8,16,24 (default: even stages)", wholes(1))
    .option("--scale <size>", `the paper's sizes: ${Object.keys(scales).join(", ")}`);
  return modelOptions(command)
    .option("--vocab <tokens>", `vocabulary, for sizes by --depth (default: ${standardSizes.vocab})`, whole(257))
    .option("--json", "print one JSON object")
    .action(runPlan);
}

const standard = "(default: float32 for a run, float16 for others)";

async function runPlan(target: string | undefined, flags: Flags): Promise<void> {
  const planned = await plannedModel(target, flags);
  const { model, dtype } = planned;
  const request: PlanRequest = {
    memory: flags.memory,
    reserve: Math.ceil(flags.reserve < 1 ? flags.reserve * flags.memory : flags.reserve),
    context: flags.context ?? model.context,
    batch: flags.batch,
    weights: flags.weights ?? dtype,
    kvDtype: flags.kvDtype ?? dtype,
    tensor: tensorSplit(model, flags.tp),
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
