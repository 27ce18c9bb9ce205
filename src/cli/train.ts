// `crosslayer train`: one model, from scratch or from the weights of a run, into a run directory.

import { join } from "node:path";
import { Command } from "commander";
import { z } from "zod";
import { bytesText, countText, integerText } from "../charts/quantity.ts";
import { RunDirectory } from "../checkpoint/run-directory.ts";
import { InputError } from "../error.ts";
import { Evaluation } from "../eval/evaluation.ts";
import { type ModelConfig, modelConfig, withContext } from "../model/config.ts";
import { flopsPerToken, kvBytesPerToken, parameterCount } from "../model/cost.ts";
import { modelName } from "../model/model-name.ts";
import type { Precision } from "../model/precision.ts";
import { checked } from "../options.ts";
import { type Buffers, type Device, putAll } from "../runtime/device.ts";
import { peakFlops } from "../runtime/peak-flops.ts";
import { Batches } from "../text/batches.ts";
import { type Corpus, openCorpus } from "../text/corpus.ts";
import { fittingMicroBatch } from "../train/micro-batch.ts";
import { type Recipe, recipe, recipeSchema } from "../train/recipe.ts";
import type { Beginning } from "../train/trainer.ts";
import { train } from "../train/training.ts";
import { type DeviceFlags, deviceOptions, openAsked, precisionOn } from "./device-options.ts";
import { interruptible } from "./interrupt.ts";
import { chosenModel, type ModelFlags, modelOptions } from "./model-options.ts";
import { between, count, whole } from "./numbers.ts";
import { option } from "./option.ts";
import { type Progress, progress } from "./progress.ts";
import {
  checkTokenizer,
  type Origin,
  type OriginFlags,
  openOrigin,
  originOf,
  originOptions,
  storedOrigin,
} from "./train-origin.ts";

interface Flags extends ModelFlags, DeviceFlags, OriginFlags {
  data?: string;
  field?: string;
  out: string;
  model?: string;
  steps?: number;
  tokens?: number;
  batch?: number;
  microBatch?: number;
  context?: number;
  vocab?: number;
  tokenizer?: string;
  validationFraction?: number;
  learningRate?: number;
  seed?: number;
  recompute?: boolean;
  checkpointEvery?: number;
  validateEvery?: number;
  resume?: boolean;
}

const dataSchema = z.object({
  source: z.string(),
  field: z.string().optional(),
  vocab: z.int(),
  validationFraction: z.number(),
  /** Tokens to train on: how a resumed run knows its text again. */
  tokens: z.int(),
});

/** Sizes where nobody says. */
const standardSizes = { context: 256, vocab: 4096, validationFraction: 0.05 };

/** Optimizer steps where neither steps nor tokens are given. */
const standardSteps = 500;

/** The subcommand. */
export function trainCommand(): Command {
  const command = new Command("train")
    .description("train one model into a run directory: from scratch, or from the weights of a run (--init)")
    .option("--data <source>", "sotu, a .txt, .jsonl or .parquet file, a directory of these, or hf:owner/dataset")
    .option("--field <name>", 'where a .jsonl or .parquet has its text (default: "text")')
    .requiredOption("--out <directory>", "the run's directory")
    .option("--model <name>", "as in H64-MQA-CLA2: head dim, KV heads, sharing (default: MQA with CLA2)");
  return deviceOptions(originOptions(modelOptions(command)))
    .addOption(option(recipeSchema, "steps", "<count>", { told: String(standardSteps) }))
    .option("--tokens <count>", "tokens to train on instead of --steps, as in 10M", count)
    .addOption(option(recipeSchema, "batch", "<sequences>", { told: "standard" }))
    .addOption(option(recipeSchema, "microBatch", "<sequences>", { told: "what fits in memory" }))
    .option("--context <tokens>", `tokens of a sequence (default: ${standardSizes.context})`, whole(2, 1 << 20))
    .option(
      "--vocab <tokens>",
      `vocabulary of the tokenizer that is trained (default: ${standardSizes.vocab})`,
      whole(257, 1 << 20),
    )
    .option("--tokenizer <file>", "a tokenizer.json to use instead")
    .option(
      "--validation-fraction <share>",
      "documents held out (default: 0.05, or those of --init)",
      between(0, 0.999),
    )
    .addOption(option(recipeSchema, "learningRate", "<peak>", { told: "standard" }))
    .addOption(option(recipeSchema, "seed", "<number>", { told: "standard" }))
    .addOption(option(recipeSchema, "recompute", "", { told: "" }))
    .addOption(option(recipeSchema, "threads", "<count>", { told: "all cores" }))
    .addOption(option(recipeSchema, "checkpointEvery", "<steps>", { told: "standard" }))
    .addOption(option(recipeSchema, "validateEvery", "<steps>", { told: "standard" }))
    .option("--resume", "go on where the run in --out was stopped")
    .action(runTrain);
}

async function runTrain(flags: Flags): Promise<void> {
  const stored = flags.resume ? recipe((await RunDirectory.open(flags.out)).config.recipe as Recipe) : undefined;
  await using device = await openAsked({ threads: stored?.threads, ...flags });
  if (stored) precisionOn(device, stored.precision ?? "float32"); // a run goes on in the numbers it began in
  const { run, corpus, model, resolved, beginning } = await (flags.resume ? resumed(flags) : begun(flags, device));
  using _lock = run.lock();
  using data = corpus.data;
  const { total } = parameterCount(model);
  console.error(
    `${modelName(model)}: ${countText(total)} parameters, KV cache ${integerText(kvBytesPerToken(model, "float32"))} bytes/token (float32), ` +
      `${countText(resolved.steps * resolved.batch * model.context)} tokens to train on`,
  );
  const { precision } = resolved;
  using evaluation = await Evaluation.create(device, model, data.validation, { precision });
  const batches = new Batches(data.train, { batch: resolved.microBatch, context: model.context, seed: resolved.seed });
  const load = loadOf(device, model, precision);
  await interruptible(async (signal) => {
    const validate = (weights: Buffers) => evaluation.quick(weights);
    const steps = train({ device, model, recipe: resolved, batches, beginning, directory: run, validate, signal });
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
        const { perplexity, bitsPerByte } = await evaluation.full(putAll(device, next.value.weights));
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
  const peak = precision === "bfloat16" ? peakFlops(device.kind) : undefined;
  const flops = 3 * flopsPerToken(model, model.context / 2); // a token attends to half of the context on average
  return (tokensPerSecond) => {
    const used = device.memory?.().peak;
    const share =
      peak === undefined ? "" : `  MFU ${((100 * tokensPerSecond * flops) / peak).toFixed(1)}% of ${peak / 1e12} TF/s`;
    return `${share}${used === undefined ? "" : `  ${bytesText(used)}`}`;
  };
}

interface Prepared {
  run: RunDirectory;
  corpus: Corpus;
  model: ModelConfig;
  resolved: Recipe;
  beginning: Beginning | undefined;
}

async function begun(flags: Flags, device: Device): Promise<Prepared> {
  if (RunDirectory.exists(flags.out)) {
    throw new InputError(`${flags.out}: holds a run already; continue it with --resume, or choose another --out`);
  }
  if (flags.steps !== undefined && flags.tokens !== undefined)
    throw new InputError("give --steps or --tokens, not both");
  const precision = precisionOn(device, flags.precision);
  const origin = await openOrigin(flags);
  const source = flags.data ?? origin?.data.source;
  if (source === undefined) throw new InputError("train: --data is missing; try --data sotu, or a file of your own");
  const before = askedModel(flags, origin); // fails early
  const own = source === origin?.data.source ? origin.data : undefined;
  const field = flags.field ?? own?.field;
  const validationFraction = flags.validationFraction ?? own?.validationFraction ?? standardSizes.validationFraction;
  const corpus = await openCorpus({
    source,
    field,
    tokenizer: origin?.tokenizer.path ?? flags.tokenizer,
    vocab: flags.vocab ?? standardSizes.vocab,
    validationFraction,
    directory: join(flags.out, "data"),
    onProgress: (stage) => console.error(stage === "tokenizer" ? "training a tokenizer" : "reading the text"),
  });
  if (origin) checkTokenizer(origin, corpus.tokenizer.json, source);
  const { vocab } = corpus.tokenizer;
  const model = origin || vocab === before.vocab ? before : { ...before, vocab };
  const batch = recipeSchema.shape.batch.parse(flags.batch);
  const steps =
    flags.tokens === undefined ? (flags.steps ?? standardSteps) : Math.ceil(flags.tokens / (batch * model.context));
  const recompute = flags.recompute ?? false;
  const { learningRate, seed, threads, checkpointEvery, validateEvery } = flags;
  const available = device.freeBytes();
  const beginning = await origin?.beginning(model.context);
  const fits = () => {
    if (device.traits.memory === "device") return batch;
    return fittingMicroBatch(model, { batch, recompute, available, teacher: beginning?.teacher });
  };
  const microBatch = flags.microBatch ?? fits();
  const asked = {
    steps,
    batch,
    microBatch,
    recompute,
    precision,
    learningRate,
    seed,
    threads,
    checkpointEvery,
    validateEvery,
  };
  const resolved = recipe(asked);
  const data = { source, field, vocab, validationFraction, tokens: corpus.data.train.tokens };
  const config = { name: modelName(model), model, recipe: resolved, data, origin: origin?.record };
  const run = await RunDirectory.create(flags.out, config, corpus.tokenizer.json);
  return { run, corpus, model, resolved, beginning };
}

/** The model that is trained: that of the run to begin with, or what the options tell. @throws InputError for both. */
function askedModel(flags: Flags, origin: Origin | undefined): ModelConfig {
  if (origin && (flags.tokenizer ?? flags.vocab) !== undefined) {
    throw new InputError(`train: the tokenizer is that of ${origin.tokenizer.path}; leave out --tokenizer and --vocab`);
  }
  if (!origin?.model) {
    const { context = standardSizes.context, vocab = origin?.vocab ?? standardSizes.vocab } = flags;
    const chosen = chosenModel(flags.model, flags, { vocab, context });
    return origin ? modelConfig({ ...chosen, vocab: origin.vocab }) : chosen;
  }
  const differing = (["model", "depth", "config", "sharing"] as const).find((flag) => flags[flag] !== undefined);
  if (differing) {
    const advice = differing === "sharing" ? "; `crosslayer convert` changes the sharing" : "";
    throw new InputError(`train: the model is that of --init ${flags.init}; leave out --${differing}${advice}`);
  }
  return withContext(origin.model, flags.context);
}

async function resumed(flags: Flags): Promise<Prepared> {
  const run = await RunDirectory.open(flags.out);
  if (run.finished) throw new InputError(`${flags.out}: this run is finished; evaluate it, or train another`);
  const { model } = run.config;
  const stored = recipe(run.config.recipe as Recipe);
  const data = checked(dataSchema, run.config.data, `${flags.out}: data`);
  const differs = (name: string, asked: unknown, was: unknown) => {
    if (asked !== undefined && JSON.stringify(asked) !== JSON.stringify(was)) {
      throw new InputError(
        `--resume: the run has ${name} ${JSON.stringify(was)}, found ${JSON.stringify(asked)}; leave it out`,
      );
    }
  };
  differs("data", flags.data, data.source);
  differs("steps", flags.steps, stored.steps);
  differs("batch", flags.batch, stored.batch);
  differs("learning rate", flags.learningRate, stored.learningRate);
  differs("seed", flags.seed, stored.seed);
  const { init, teacher } = originOf(run);
  differs("init", flags.init, init?.path);
  differs("teacher", flags.teacher, teacher?.path);
  differs("distill", flags.distill, teacher?.share);
  differs("precision", flags.precision, stored.precision ?? "float32");
  if (
    flags.model !== undefined ||
    flags.depth !== undefined ||
    flags.config !== undefined ||
    flags.sharing !== undefined
  ) {
    differs("model", chosenModel(flags.model, flags, model), model);
  }
  const corpus = await openCorpus({
    ...data,
    tokenizer: join(flags.out, "tokenizer.json"),
    directory: join(flags.out, "data"),
  });
  const { tokens } = corpus.data.train;
  if (tokens !== data.tokens) {
    corpus.data[Symbol.dispose]();
    throw new InputError(
      `--resume: ${data.source} had ${data.tokens} tokens to train on and has ${tokens} now; restore it, or begin another run`,
    );
  }
  const beginning = await (await storedOrigin(run))?.beginning(model.context);
  return { run, corpus, model, resolved: stored, beginning };
}
