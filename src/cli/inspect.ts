// `crosslayer inspect`: what a model is and what it costs, from its name or its run.

import { Command } from "commander";
import pc from "picocolors";
import { bytesText, countText, integerText } from "../charts/quantity.ts";
import { sharingPicture } from "../charts/sharing-picture.ts";
import { RunDirectory } from "../checkpoint/run-directory.ts";
import type { ModelConfig } from "../model/config.ts";
import { flopsPerToken, kvBytesPerToken, parameterCount } from "../model/cost.ts";
import { modelName } from "../model/model-name.ts";
import { scales } from "../model/name.ts";
import { owners } from "../model/sharing.ts";
import { checkNoStudy } from "./asked-run.ts";
import { chosenModel, type ModelFlags, modelOptions, standardSizes } from "./model-options.ts";
import { whole } from "./numbers.ts";

interface Flags extends ModelFlags {
  context?: number;
  vocab?: number;
  json?: boolean;
}

/** The subcommand. */
export function inspectCommand(): Command {
  const command = new Command("inspect")
    .description("a model's sharing as a picture, its parameters, arithmetic and KV cache")
    .argument("[model|run]", "a name such as H128-MQA-CLA2, or a run's directory")
    .option("--scale <size>", `the paper's sizes: ${Object.keys(scales).join(", ")}`);
  return modelOptions(command)
    .option("--context <tokens>", "positions attended, for the arithmetic (default: the model's context)", whole(1))
    .option("--vocab <tokens>", `vocabulary, for sizes by --depth (default: ${standardSizes.vocab})`, whole(257))
    .option("--json", "print one JSON object")
    .action(runInspect);
}

async function runInspect(target: string | undefined, flags: Flags): Promise<void> {
  if (target !== undefined) checkNoStudy(target);
  const run = target !== undefined && RunDirectory.exists(target) ? await RunDirectory.open(target) : undefined;
  const model = run
    ? run.config.model
    : chosenModel(target, flags, {
        vocab: flags.vocab ?? standardSizes.vocab,
        context: flags.context ?? standardSizes.context,
      });
  const found = facts(model, flags.context ?? model.context);
  if (flags.json) console.log(JSON.stringify(run ? { ...found, run: target, finished: run.finished } : found));
  else console.log(text(model, found, run && { path: target as string, finished: run.finished }));
}

function facts(model: ModelConfig, context: number) {
  return {
    name: modelName(model),
    sharing: model.sharing,
    kvLayers: owners(model.sharing).length,
    parameters: parameterCount(model),
    flopsPerToken: flopsPerToken(model, context),
    context,
    kvBytesPerToken: { float32: kvBytesPerToken(model, "float32"), float16: kvBytesPerToken(model, "float16") },
    model,
  };
}

function text(model: ModelConfig, found: ReturnType<typeof facts>, run?: { path: string; finished: boolean }): string {
  const { parameters, kvBytesPerToken: bytes, context } = found;
  const line = (name: string, value: string) => `  ${name.padEnd(17)}${value}`;
  return [
    pc.bold(found.name) + (run ? `  (${run.path}, ${run.finished ? "finished" : "in training"})` : ""),
    "",
    sharingPicture(model.sharing),
    "",
    line("layers", `${model.layers}, of which ${found.kvLayers} keep keys and values`),
    line("width", `${model.width}, MLP ${model.mlpWidth}, vocabulary ${integerText(model.vocab)}`),
    line("heads", `${model.heads} of ${model.headDim}, ${model.kvHeads} KV`),
    line("parameters", `${countText(parameters.total)}, ${countText(parameters.nonEmbedding)} without embeddings`),
    line("FLOPs/token", `${countText(found.flopsPerToken)} at ${integerText(context)} positions`),
    line("KV bytes/token", `${integerText(bytes.float16)} in float16, ${integerText(bytes.float32)} in float32`),
    line("KV of a sequence", `${bytesText(bytes.float16 * context)} in float16 at ${integerText(context)} tokens`),
  ].join("\n");
}
