// The run that `crosslayer train` works on: begun in an empty directory, or resumed as it was left. Options beside
// --resume must be those that the run was begun with, except those of the machine.

import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { RunDirectory } from "../checkpoint/run-directory.ts";
import { InputError } from "../error.ts";
import { type ModelConfig, modelConfig, withContext } from "../model/config.ts";
import { modelName } from "../model/model-name.ts";
import type { Precision } from "../model/precision.ts";
import { checked } from "../options.ts";
import type { Device } from "../runtime/device.ts";
import { type Corpus, knownVocab, openCorpus } from "../text/corpus.ts";
import { checkPlace, corpusRecord, corpusRecordSchema, isTextOf, reopenCorpus } from "../text/corpus-record.ts";
import { openTokenizer } from "../text/tokenizer-file.ts";
import { fittingStep } from "../train/fitting-step.ts";
import { type Recipe, recipe, recipeSchema } from "../train/recipe.ts";
import type { Beginning } from "../train/trainer.ts";
import { type DeviceFlags, precisionOn } from "./device-options.ts";
import { chosenModel, type ModelFlags } from "./model-options.ts";
import { corpusProgress } from "./progress.ts";
import { checkTokenizer, type Origin, type OriginFlags, openOrigin, originOf, storedOrigin } from "./train-origin.ts";

/** What the command is asked for; what is not given has its standard value, or the run's own. */
export interface TrainFlags extends ModelFlags, DeviceFlags, OriginFlags {
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
  saveDtype?: Precision;
  resume?: boolean;
}

/** What holds where an option is not given. */
export const standard = { steps: 500, context: 256, vocab: 4096, validationFraction: 0.05 };

/** A run, ready to be trained. */
export interface TrainRun {
  readonly run: RunDirectory;
  readonly corpus: Corpus;
  readonly model: ModelConfig;
  readonly resolved: Recipe;
  /** What it begins with, where that is not random weights alone. */
  readonly beginning: Beginning | undefined;
}

/** How long a run is asked to be. */
type Length = Pick<TrainFlags, "steps" | "tokens">;

/** @throws InputError where the length is given twice. */
export function checkLength({ steps, tokens }: Length): void {
  if (steps !== undefined && tokens !== undefined) throw new InputError("give --steps or --tokens, not both");
}

/** The steps of a run, where each takes so many tokens. */
export function askedSteps({ steps = standard.steps, tokens }: Length, tokensPerStep: number): number {
  return tokens === undefined ? steps : Math.ceil(tokens / tokensPerStep);
}

/** Begins a run. @throws InputError for what is wrong, before the run is written. */
export async function begunRun(flags: TrainFlags, device: Device): Promise<TrainRun> {
  if (RunDirectory.exists(flags.out)) {
    throw new InputError(`${flags.out}: holds a run already; continue it with --resume, or choose another --out`);
  }
  checkLength(flags);
  const precision = precisionOn(device, flags.precision);
  const origin = await openOrigin(flags);
  const source = flags.data ?? origin?.data.source;
  if (source === undefined) throw new InputError("train: --data is missing; try --data sotu, or a file of your own");
  const own = source === origin?.data.source ? origin.data : {};
  const validationFraction = flags.validationFraction ?? own.validationFraction ?? standard.validationFraction;
  const known = origin?.vocab ?? (await knownVocab({ source, tokenizer: flags.tokenizer }));
  const before = askedModel({ ...flags, ...(!origin && known !== undefined && { vocab: known }) }, origin); // fails early
  const beginning = await origin?.beginning(before.context);
  const batch = recipeSchema.shape.batch.parse(flags.batch);
  const recompute = flags.recompute ?? false;
  const { learningRate, seed, threads, checkpointEvery, validateEvery, saveDtype } = flags;
  const recipeOf = async (model: ModelConfig) => {
    const asked = {
      batch,
      recompute,
      precision,
      learningRate,
      seed,
      threads,
      checkpointEvery,
      validateEvery,
      saveDtype,
    };
    const steps = askedSteps(flags, batch * model.context);
    const whole = recipe({ steps, microBatch: flags.microBatch, ...asked });
    const { microBatch, shard } = flags;
    return {
      ...whole,
      microBatch: await fittingStep(device, model, whole, { microBatch, shard, teacher: beginning?.teacher }),
    };
  };
  const early = await recipeOf(before); // too; on a card this compiles the step
  const corpus = await openCorpus({
    source,
    field: flags.field ?? own.field,
    tokenizer: origin?.tokenizer.path ?? flags.tokenizer,
    vocab: flags.vocab ?? standard.vocab,
    validationFraction,
    directory: join(flags.out, "data"),
    ...corpusProgress(source),
  });
  if (origin) checkTokenizer(origin, corpus.tokenizer.json, source);
  const { vocab } = corpus.tokenizer;
  const model = origin || vocab === before.vocab ? before : { ...before, vocab };
  const resolved = model === before ? early : await recipeOf(model);
  const data = corpusRecord(corpus);
  const config = { name: modelName(model), model, recipe: resolved, data, origin: origin?.record };
  const run = await RunDirectory.create(flags.out, config, corpus.tokenizer.json, {
    texts: origin?.run.texts,
    chatTemplate: await origin?.run.chatTemplate(),
  });
  return { run, corpus, model, resolved, beginning };
}

/** The model that is trained: that of the run to begin with, or what the options tell. @throws InputError for both. */
function askedModel(flags: TrainFlags, origin: Origin | undefined): ModelConfig {
  if (origin && (flags.tokenizer ?? flags.vocab) !== undefined) {
    throw new InputError(`train: the tokenizer is that of ${origin.tokenizer.path}; leave out --tokenizer and --vocab`);
  }
  if (!origin?.model) {
    const { context = standard.context, vocab = origin?.vocab ?? standard.vocab } = flags;
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

/** Takes up a run. @throws InputError where options, config, tokenizer or text are not what it was begun with, by name. */
export async function resumedRun(flags: TrainFlags, device: Device): Promise<TrainRun> {
  const run = await RunDirectory.open(flags.out);
  if (run.finished) throw new InputError(`${flags.out}: this run is finished; evaluate it, or train another`);
  const { model } = run.config;
  const stored = recipe(run.config.recipe as Recipe);
  const record = checked(corpusRecordSchema, run.config.data, `${flags.out}: data`);
  const isMoved = flags.data !== undefined && isTextOf(record, flags.data); // prepared text lies elsewhere now
  const data = isMoved ? { ...record, source: flags.data as string } : record;
  const isVouched = await run.checkCheckpoint();
  if (isVouched === false) {
    console.error(
      `warning: ${flags.out}: its checkpoint is from a version that did not keep what it was made with; whether config, tokenizer and text are the same cannot be checked`,
    );
  }
  const differs = (name: string, asked: unknown, was: unknown) => {
    if (asked !== undefined && JSON.stringify(asked) !== JSON.stringify(was)) {
      throw new InputError(
        `--resume: the run has ${name} ${JSON.stringify(was)}, found ${JSON.stringify(asked)}; leave it out`,
      );
    }
  };
  differs("data", flags.data, data.source);
  checkPlace(data);
  differs("field", flags.field, data.field ?? "text");
  differs("validation fraction", flags.validationFraction, data.validationFraction ?? standard.validationFraction);
  differs("context", flags.context, model.context);
  differs("batch", flags.batch, stored.batch);
  differs("steps", flags.steps, stored.steps);
  if (flags.tokens !== undefined && Math.ceil(flags.tokens / (stored.batch * model.context)) !== stored.steps) {
    differs("tokens", flags.tokens, stored.steps * stored.batch * model.context);
  }
  differs("learning rate", flags.learningRate, stored.learningRate);
  differs("seed", flags.seed, stored.seed);
  const { init, teacher } = originOf(run);
  differs("init", flags.init, init?.path);
  differs("teacher", flags.teacher, teacher?.path);
  differs("distill", flags.distill, teacher?.share);
  differs("precision", flags.precision, stored.precision ?? "float32");
  if (flags.tokenizer === undefined) differs("vocab", flags.vocab, data.vocab ?? model.vocab);
  else if (!isDeepStrictEqual((await openTokenizer(flags.tokenizer)).json, run.tokenizer)) {
    throw new InputError(
      `--resume: the run has tokenizer ${join(flags.out, "tokenizer.json")}, found ${flags.tokenizer}, which is another; leave it out`,
    );
  }
  if ([flags.model, flags.depth, flags.config, flags.sharing].some((flag) => flag !== undefined)) {
    differs("model", chosenModel(flags.model, flags, model), model);
  }
  const resolved = resumedRecipe(flags, stored);
  const beginning = await (await storedOrigin(run))?.beginning(model.context);
  if (flags.microBatch !== undefined) {
    const { microBatch, shard } = flags;
    await fittingStep(device, model, resolved, { microBatch, shard, teacher: beginning?.teacher });
  }
  const corpus = await reopenCorpus(data, {
    tokenizer: join(flags.out, "tokenizer.json"),
    directory: join(flags.out, "data"),
    ...corpusProgress(data.source),
  });
  return { run, corpus, model, resolved, beginning };
}

/** The recipe with what may change from one part of a run to the next: it is the machine's, or changes no step. */
function resumedRecipe(flags: TrainFlags, stored: Recipe): Recipe {
  const { microBatch, recompute, threads, checkpointEvery, validateEvery, saveDtype } = { ...stored, ...flags };
  for (const [name, was, is] of [
    ["micro-batch", stored.microBatch, microBatch],
    ["recompute", stored.recompute, recompute],
    ["threads", stored.threads, threads],
  ]) {
    if (was === is) continue;
    console.error(
      `warning: --${name}: the run was begun with ${was}, goes on with ${is}; sums are rounded otherwise, so bits differ`,
    );
  }
  return recipe({ ...stored, microBatch, recompute, threads, checkpointEvery, validateEvery, saveDtype });
}
