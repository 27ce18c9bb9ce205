// One run of a study: a model trained with one learning rate and one seed, evaluated, its cache measured, a text written.
// Its directory keeps what is done, so that a killed trial goes on where it was.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { RunDirectory } from "../../checkpoint/run-directory.ts";
import { EngineCore } from "../../engine/core.ts";
import { decode } from "../../engine/decode.ts";
import { Evaluation } from "../../eval/evaluation.ts";
import { PagedMemory } from "../../kv/paged-memory.ts";
import type { ModelConfig } from "../../model/config.ts";
import { flopsPerToken, kvBytesPerToken, parameterCount } from "../../model/cost.ts";
import { checked } from "../../options.ts";
import { blockSize, kvBlockBytes } from "../../plan/kv-blocks.ts";
import type { Buffers, Device } from "../../runtime/device.ts";
import { cpuName, openDevice } from "../../runtime/open-device.ts";
import type { Tensors } from "../../tensor/tensor.ts";
import { Batches } from "../../text/batches.ts";
import type { Corpus } from "../../text/corpus.ts";
import { checkCorpus, corpusRecord, corpusRecordSchema } from "../../text/corpus-record.ts";
import type { Shard } from "../../text/shard.ts";
import type { Recipe } from "../../train/recipe.ts";
import { DivergedError, type TrainStep, train } from "../../train/training.ts";
import { thinCurve } from "../numbers/curve.ts";
import type { CurvePoint, Quality, Result, TextSize } from "../numbers/result.ts";
import { type Evaluations, evaluateTrial, evaluationsKey } from "./evaluations.ts";
import { versions } from "./versions.ts";

/** What fixes a trial. */
export interface Trial {
  readonly name: string;
  readonly model: ModelConfig;
  readonly recipe: Recipe;
  readonly corpus: Corpus;
  readonly prompt: string;
  /** What to train on, as `openDevice` takes it; the CPU with the recipe's threads if not given. */
  readonly device?: string | undefined;
  /** What is asked of the model beside perplexity. */
  readonly evaluations?: Evaluations | undefined;
}

/**
 * A hash of all that a trial's numbers depend on. Threads, micro-batches, how often it saves and in what are not among it; text that
 * was prepared is known by its content, on every machine.
 */
export function trialKey({ model, recipe, corpus, evaluations }: Trial): string {
  const { threads: _, checkpointEvery: __, microBatch: ___, saveDtype: ____, ...fixed } = recipe;
  const isPrepared = corpus.validationFraction === undefined;
  const data = isPrepared
    ? corpus.identity
    : { source: corpus.source, train: corpus.data.train.tokens, vocab: corpus.tokenizer.vocab };
  return createHash("sha256")
    .update(
      JSON.stringify({ model, recipe: fixed, data, ...(evaluations && { evaluations: evaluationsKey(evaluations) }) }),
    )
    .digest("hex")
    .slice(0, 16);
}

/** What a trial's directory is called. */
export function trialName(trial: Trial): string {
  const { learningRate, seed } = trial.recipe;
  return `${trial.name}-lr${learningRate}-seed${seed}-${trialKey(trial)}`;
}

/** The key of the trial whose directory is called so. */
export function keyOfTrial(name: string): string {
  return name.split("-").at(-1) as string;
}

/**
 * Runs a trial to its result, yielding its training steps; a run that diverges has a result too, its losses NaN.
 * Returns undefined if `signal` stopped it.
 */
export async function* runTrial(
  trial: Trial,
  { directory, signal }: { directory: string; signal?: AbortSignal },
): AsyncGenerator<TrainStep, Result | undefined> {
  const { name, model, corpus } = trial;
  const { seed } = trial.recipe;
  const path = join(directory, trialName(trial));
  const stored = { name, model, recipe: trial.recipe, data: corpusRecord(corpus) };
  const run = RunDirectory.exists(path)
    ? await begunTrial(path, corpus)
    : await RunDirectory.create(path, stored, corpus.tokenizer.json);
  const recipe = run.config.recipe as Recipe; // what it began with, micro-batches included
  using _lock = run.lock();
  await using device = await openDevice(trial.device ?? cpuName(recipe.threads));
  const { precision } = recipe;
  using evaluation = await Evaluation.create(device, model, corpus.data.validation, { precision });
  const batches = new Batches(corpus.data.train, { batch: recipe.microBatch, context: model.context, seed });
  const validate = (weights: Buffers) => evaluation.quick(weights);
  let measured = nothing(corpus);
  // Where the weights lie: on a card they need not come home and go back.
  const finish = async (weights: Buffers) => {
    const asked = trial.evaluations;
    measured = {
      validation: await quality(evaluation, weights, corpus.data.validation),
      ...(corpus.data.test && { test: await quality(evaluation, weights, corpus.data.test) }),
      ...(asked && (await evaluateTrial(asked, device, { model, weights, corpus, precision }))),
    };
  };
  const steps = train({ device, model, recipe, batches, directory: run, validate, finish, signal });
  let weights: Tensors | undefined;
  try {
    for (;;) {
      const next = await steps.next();
      if (next.done) {
        if (!next.value.finished) return undefined;
        weights = next.value.weights;
        break;
      }
      yield next.value;
    }
  } catch (error) {
    if (!(error instanceof DivergedError)) throw error;
  }
  const rows = await run.metrics<CurvePoint & { seconds: number }>();
  const seconds = rows.reduce((sum, row) => sum + row.seconds, 0);
  const tokens = recipe.steps * recipe.batch * model.context;
  const written = await write(device, weights, trial);
  const result: Result = {
    key: trialKey(trial),
    name,
    model,
    seed,
    learningRate: recipe.learningRate,
    steps: recipe.steps,
    tokens,
    parameters: parameterCount(model),
    kvBytesPerToken: written.kvBytesPerToken,
    flopsPerToken: flopsPerToken(model, model.context / 2),
    ...measured,
    ...(precision && { precision }),
    ...(trial.device && { device: device.kind }),
    curve: thinCurve(rows.map(({ step, loss, validation }) => ({ step, loss, validation }))),
    seconds,
    tokensPerSecond: (rows.length * recipe.batch * model.context) / seconds,
    sample: written.sample,
    versions: versions(device.runtime),
    dataset: {
      source: corpus.source,
      vocab: corpus.tokenizer.vocab,
      train: textSize(corpus.data.train),
      validation: textSize(corpus.data.validation),
      ...(corpus.data.test && { test: textSize(corpus.data.test) }),
      identity: corpus.identity,
    },
  };
  run.removeCheckpoint();
  return result;
}

/** A trial that was begun before. @throws InputError if it was begun with other text. */
async function begunTrial(path: string, corpus: Corpus): Promise<RunDirectory> {
  const run = await RunDirectory.open(path);
  checkCorpus(checked(corpusRecordSchema, run.config.data, `${path}: data`), corpus);
  return run;
}

/** What a trial is measured to be. */
type Measured = Pick<Result, "validation" | "test"> & Partial<Awaited<ReturnType<typeof evaluateTrial>>>;

/** What is said of a model that diverged. */
function nothing({ data }: Corpus): Measured {
  const none = { loss: Number.NaN, perplexity: Number.NaN, bitsPerByte: Number.NaN, wordPerplexity: Number.NaN };
  return { validation: none, ...(data.test && { test: none }) };
}

/** How well a model predicts a shard. */
async function quality(evaluation: Evaluation, weights: Buffers, shard: Shard): Promise<Quality> {
  const { loss, perplexity, bitsPerByte, wordPerplexity } = await evaluation.full(weights, shard);
  return { loss, perplexity, bitsPerByte, wordPerplexity };
}

/**
 * Lets the model write after the prompt, where that leaves room in its context, and reads the bytes per token off the
 * cache that was allocated for it.
 */
async function write(device: Device, weights: Tensors | undefined, { model, corpus, prompt }: Trial) {
  const { tokenizer } = corpus;
  const { endOfText } = tokenizer;
  const start = [endOfText, ...tokenizer.encode(prompt)];
  const blocks = Math.ceil(model.context / blockSize);
  if (device.traits.memory === "device") {
    return { kvBytesPerToken: kvBytesPerToken(model, "float32"), sample: undefined }; // texts wait for a CPU
  }
  if (!weights || start.length >= model.context) {
    const memory = new PagedMemory(device, model, { blocks, blockSize, dtype: "float32" });
    return { kvBytesPerToken: memory.bytes / (blocks * blockSize), sample: undefined };
  }
  const kvMemory = blocks * kvBlockBytes(model, "float32");
  using core = await EngineCore.create(device, model, weights, { kvMemory });
  const sampling = { temperature: 0.8, topP: 0.95, seed: 1 };
  const maxTokens = Math.min(60, model.context - start.length);
  const ids: number[] = [];
  for await (const id of decode(core, { prompt: start, maxTokens, sampling, stopTokens: [endOfText] })) ids.push(id);
  const { kvBytes } = core.stats();
  return { kvBytesPerToken: kvBytes / (blocks * blockSize), sample: prompt + tokenizer.decode(ids) };
}

function textSize({ tokens, documents, bytes, words }: TextSize): TextSize {
  return { tokens, documents, bytes, words };
}
