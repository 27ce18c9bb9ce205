// `crosslayer train`: one model, from scratch or from the weights of a run, into a run directory.

import { Command } from "commander";
import { bytesText, countText, integerText } from "../charts/quantity.ts";
import { RunDirectory } from "../checkpoint/run-directory.ts";
import { Evaluation } from "../eval/evaluation.ts";
import type { Perplexity } from "../eval/perplexity.ts";
import type { ModelConfig } from "../model/config.ts";
import { flopsPerToken, kvBytesPerToken, parameterCount } from "../model/cost.ts";
import { modelName } from "../model/model-name.ts";
import type { Precision } from "../model/precision.ts";
import type { Buffers, Device } from "../runtime/device.ts";
import { peakFlops } from "../runtime/peak-flops.ts";
import { Batches } from "../text/batches.ts";
import { type Recipe, recipe, recipeSchema } from "../train/recipe.ts";
import { train } from "../train/training.ts";
import { deviceOptions, openAsked, precisionOn, shardOption } from "./device-options.ts";
import { interruptible } from "./interrupt.ts";
import { modelOptions } from "./model-options.ts";
import { between, count, whole } from "./numbers.ts";
import { option } from "./option.ts";
import { type Progress, progress } from "./progress.ts";
import { originOptions } from "./train-origin.ts";
import { begunRun, resumedRun, standard, type TrainFlags } from "./train-run.ts";

/** The subcommand. */
export function trainCommand(): Command {
  const command = new Command("train")
    .description("train one model into a run directory: from scratch, or from the weights of a run (--init)")
    .option("--data <source>", "sotu, a .txt, .jsonl or .parquet file, a directory of these, or hf:owner/dataset")
    .option("--field <name>", 'where a .jsonl or .parquet has its text (default: "text")')
    .requiredOption("--out <directory>", "the run's directory")
    .option("--model <name>", "as in H64-MQA-CLA2: head dim, KV heads, sharing (default: MQA with CLA2)");
  return shardOption(deviceOptions(originOptions(modelOptions(command))))
    .addOption(option(recipeSchema, "steps", "<count>", { told: String(standard.steps) }))
    .option("--tokens <count>", "tokens to train on instead of --steps, as in 10M", count)
    .addOption(option(recipeSchema, "batch", "<sequences>", { told: "standard" }))
    .addOption(option(recipeSchema, "microBatch", "<sequences>", { told: "what fits in memory" }))
    .option("--context <tokens>", told("tokens of a sequence", standard.context), whole(2, 1 << 20))
    .option(
      "--vocab <tokens>",
      told("vocabulary of the tokenizer that is trained", standard.vocab),
      whole(257, 1 << 20),
    )
    .option("--tokenizer <file>", "a tokenizer.json to use instead")
    .option("--validation-fraction <share>", told("documents held out", standard.validationFraction), between(0, 0.999))
    .addOption(option(recipeSchema, "learningRate", "<peak>", { told: "standard" }))
    .addOption(option(recipeSchema, "seed", "<number>", { told: "standard" }))
    .addOption(option(recipeSchema, "recompute", "", { told: "" }))
    .addOption(option(recipeSchema, "saveDtype", "<type>", { told: "float32" }))
    .addOption(option(recipeSchema, "threads", "<count>", { told: "all cores" }))
    .addOption(option(recipeSchema, "checkpointEvery", "<steps>", { told: "standard" }))
    .addOption(option(recipeSchema, "validateEvery", "<steps>", { told: "standard" }))
    .option("--resume", "go on where the run in --out was stopped")
    .action(runTrain);
}

function told(description: string, value: number): string {
  return `${description} (default: ${value})`;
}

async function runTrain(flags: TrainFlags): Promise<void> {
  const stored = flags.resume ? recipe((await RunDirectory.open(flags.out)).config.recipe as Recipe) : undefined;
  await using device = await openAsked({ threads: stored?.threads, ...flags });
  if (stored) precisionOn(device, stored.precision ?? "float32"); // a run goes on in the numbers it began in
  const { run, corpus, model, resolved, beginning } = await (flags.resume
    ? resumedRun(flags, device)
    : begunRun(flags, device));
  using _lock = run.lock();
  using data = corpus.data;
  const { total } = parameterCount(model);
  console.error(
    `${modelName(model)}: ${countText(total)} parameters, KV cache ${integerText(kvBytesPerToken(model, "float32"))} bytes/token (float32), ` +
      `${countText(resolved.steps * resolved.batch * model.context)} tokens to train on`,
  );
  const { precision } = resolved;
  const { shard } = flags;
  using evaluation = await Evaluation.create(device, model, data.validation, { precision, shard });
  const batches = new Batches(data.train, { batch: resolved.microBatch, context: model.context, seed: resolved.seed });
  const load = loadOf(device, model, precision);
  await interruptible(async (signal) => {
    const onWarning = (text: string) => console.error(`warning: ${text}`);
    const validate = (weights: Buffers) => evaluation.quick(weights);
    let found: Perplexity | undefined;
    const finish = async (weights: Buffers) => {
      found = await evaluation.full(weights);
    };
    const steps = train({
      device,
      model,
      recipe: resolved,
      shard,
      batches,
      beginning,
      directory: run,
      validate,
      finish,
      onWarning,
      signal,
    });
    let bar: Progress | undefined; // begun by the first step, which tells where the run goes on
    let validation = "";
    for (;;) {
      const next = await steps.next().catch((error) => {
        bar?.stop();
        throw error;
      });
      if (next.done) {
        bar?.stop();
        if (!next.value.finished) {
          console.error(`stopped; go on with: crosslayer train --out ${flags.out} --resume`);
          return;
        }
        const { perplexity, bitsPerByte } = found as Perplexity;
        console.log(`validation perplexity ${perplexity.toFixed(2)}, ${bitsPerByte.toFixed(4)} bits per byte`);
        console.log(`written to ${flags.out}; try: crosslayer generate ${flags.out} "…"`);
        return;
      }
      const { step, loss, tokensPerSecond } = next.value;
      if (next.value.validation !== undefined) validation = `  val ${next.value.validation.toFixed(3)}`;
      bar ??= progress("training", resolved.steps, step - 1);
      bar.update(
        step,
        `loss ${loss.toFixed(3)}${validation}  ${integerText(tokensPerSecond)} tok/s${load(tokensPerSecond)}`,
      );
    }
  });
}

/** How busy a card is: its share of the published peak in bfloat16 (MFU), and the memory in use; nothing where unknown. */
function loadOf(
  device: Device,
  model: ModelConfig,
  precision: Precision | undefined,
): (tokensPerSecond: number) => string {
  const peak = precision === "bfloat16" ? peakFlops(device) : undefined;
  const flops = 3 * flopsPerToken(model, model.context / 2); // a token attends to half of the context on average
  return (tokensPerSecond) => {
    const used = device.memory?.().peak;
    const share =
      peak === undefined ? "" : `  MFU ${((100 * tokensPerSecond * flops) / peak).toFixed(1)}% of ${peak / 1e12} TF/s`;
    return `${share}${used === undefined ? "" : `  ${bytesText(used)}`}`;
  };
}
