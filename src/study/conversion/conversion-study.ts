// A study of conversion, run: a teacher is trained, converted in every way of the plan, and what it became is measured
// before and after uptraining, beside the same model trained from scratch on the same text. Every run has a directory, so
// that a study that was stopped goes on.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { firstDifference, shown } from "../../checkpoint/difference.ts";
import type { RunConfig } from "../../checkpoint/run-config.ts";
import { RunDirectory } from "../../checkpoint/run-directory.ts";
import { convertRun } from "../../convert/conversion.ts";
import type { Init } from "../../convert/init.ts";
import { InputError } from "../../error.ts";
import { Evaluation } from "../../eval/evaluation.ts";
import { makeDirectory } from "../../files/directory.ts";
import { lockDirectory } from "../../files/lock.ts";
import { type ModelConfig, modelConfig } from "../../model/config.ts";
import { kvBytesPerToken } from "../../model/cost.ts";
import { modelName } from "../../model/model-name.ts";
import { parseSharing } from "../../model/name.ts";
import { checked } from "../../options.ts";
import { type Device, putAll } from "../../runtime/device.ts";
import type { Tensors } from "../../tensor/tensor.ts";
import { Batches } from "../../text/batches.ts";
import { type Corpus, openCorpus } from "../../text/corpus.ts";
import { checkCorpus, corpusRecord, corpusRecordSchema } from "../../text/corpus-record.ts";
import { fittingMicroBatch } from "../../train/micro-batch.ts";
import { type Recipe, recipe } from "../../train/recipe.ts";
import type { Beginning } from "../../train/trainer.ts";
import { train } from "../../train/training.ts";
import { trialsPath } from "../trials/sweep.ts";
import { type ConversionPlan, teacherModel } from "./conversion-plan.ts";

/** A point of a run's curve. */
export interface LossPoint {
  /** Tokens that it was trained on, of uptraining those after the conversion. */
  readonly tokens: number;
  /** On a part of the held-out text, the same for all runs, nats per token. */
  readonly loss: number;
}

/** What a run came to. */
export interface ConversionResult {
  /** The teacher, the teacher trained on for as long as conversions are, a model from scratch, or a conversion. */
  readonly kind: "teacher" | "continued" | "scratch" | "converted";
  readonly name: string;
  readonly model: ModelConfig;
  /** As the plan has it; "search" for one that was searched. */
  readonly sharing: string;
  readonly init?: Init;
  readonly isDistilled?: boolean;
  /** Float32 bytes. */
  readonly kvBytesPerToken: number;
  /** Held-out loss before training: of a conversion, what it begins with. */
  readonly before?: number;
  /** Held-out loss, nats per token. */
  readonly after: number;
  readonly perplexity: number;
  readonly curve: readonly LossPoint[];
  readonly tokens: number;
  readonly seconds: number;
}

/** What a study tells as it goes. */
export type ConversionEvent =
  | {
      readonly kind: "run";
      readonly name: string;
      readonly steps: number;
      readonly done: number;
      readonly runs: number;
    }
  | { readonly kind: "step"; readonly step: number; readonly loss: number; readonly tokensPerSecond: number }
  | { readonly kind: "result"; readonly result: ConversionResult };

/** Where a study keeps its work, and how it is stopped. */
export interface ConversionStudyOptions {
  readonly directory: string;
  readonly device: Device;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How often a run's held-out loss is taken along its way. */
const curvePoints = 10;

/** Runs a plan; returns its results, or undefined if `signal` stopped it. The same call later goes on. */
export async function* conversionStudy(
  plan: ConversionPlan,
  { directory, device, threads, signal }: ConversionStudyOptions,
): AsyncGenerator<ConversionEvent, ConversionResult[] | undefined> {
  if (existsSync(trialsPath(directory))) {
    throw new InputError(
      `${directory}: holds a study of another kind, whose results would be lost; choose another --out`,
    );
  }
  makeDirectory(directory);
  using _lock = lockDirectory(directory);
  const corpus = await openCorpus({ ...plan.data, directory: join(directory, "data") });
  using _data = corpus.data;
  const model = teacherModel(plan, corpus.tokenizer.vocab);
  const at = (name: string) => join(directory, "runs", name.replace(/\W+/g, "-"));
  const results: ConversionResult[] = [];
  const variants = plan.sharings.flatMap((sharing) => plan.inits.map((init) => ({ sharing, init })));
  const given = plan.sharings.filter((sharing) => sharing !== "search");
  const scratch = plan.scratch ? given : [];
  const runs = 2 + scratch.length + variants.length * 2;
  const tokensOf = (steps: number) => steps * plan.batch * plan.context;

  const teacher = yield* trained({ name: "teacher", model, phase: plan.teacher, kind: "teacher", sharing: "" });
  if (!teacher) return undefined;
  const onward = { name: "teacher trained on", model, phase: plan.uptrain, beginning: { weights: teacher } };
  if (!(yield* trained({ kind: "continued", sharing: "", ...onward }))) return undefined;
  for (const sharing of scratch) {
    const shared = modelConfig({ ...model, sharing: parseSharing(sharing, model.layers) });
    const phase = { ...plan.teacher, steps: plan.teacher.steps + plan.uptrain.steps };
    const made = yield* trained({ name: `scratch ${sharing}`, model: shared, phase, kind: "scratch", sharing });
    if (!made) return undefined;
  }
  for (const { sharing, init } of variants) {
    const converted = at(`${sharing} ${init}`);
    const [like] = given as [string];
    const isSearched = sharing === "search";
    const bytes = kvBytesPerToken({ ...model, sharing: parseSharing(like, model.layers) }, "float32");
    if (!RunDirectory.exists(converted)) {
      await convertRun(
        {
          ...{ from: at("teacher"), out: converted, init, signal, calibrate: plan.data.source, field: plan.data.field },
          ...(isSearched ? { budget: { bytes } } : { sharing: (layers) => parseSharing(sharing, layers) }),
        },
        async () => device,
      );
    }
    const run = await RunDirectory.open(converted);
    if (isSearched) checkBudget(run, bytes);
    const { tensors: weights } = await run.loadModel();
    for (const isDistilled of [false, true]) {
      const beginning = isDistilled
        ? { weights, teacher: { config: model, weights: teacher, share: plan.distill } }
        : { weights };
      const name = `${sharing} ${init}${isDistilled ? " distilled" : ""}`;
      const spec = { name, model: run.config.model, phase: plan.uptrain, sharing, init, isDistilled, beginning };
      if (!(yield* trained({ kind: "converted", ...spec }))) return undefined;
    }
  }
  return results;

  /** Trains a run, or takes it up; gives its weights and keeps its result. */
  async function* trained(spec: RunSpec): AsyncGenerator<ConversionEvent, Tensors | undefined> {
    const { name, model, phase, beginning } = spec;
    const asked = recipe({
      ...{ steps: phase.steps, learningRate: phase.learningRate, batch: plan.batch, seed: plan.seed },
      ...{ validateEvery: Math.max(1, Math.floor(phase.steps / curvePoints)), checkpointEvery: 100 },
      ...(threads === undefined ? {} : { threads }),
    });
    const microBatch =
      device.traits.memory === "device"
        ? asked.batch
        : fittingMicroBatch(model, { ...asked, teacher: beginning?.teacher });
    const run = await runAt(
      at(spec.kind === "converted" ? `${name} trained` : name),
      { ...spec, name: modelName(model) },
      { ...asked, microBatch },
      corpus,
    );
    const stored = run.config.recipe as Recipe;
    yield { kind: "run", name, steps: phase.steps, done: results.length, runs };
    using evaluation = await Evaluation.create(device, model, corpus.data.validation, {});
    const measured = async (weights: Tensors) => {
      const placed = putAll(device, weights);
      try {
        return { ...(await evaluation.full(placed)), quick: await evaluation.quick(placed) };
      } finally {
        for (const buffer of Object.values(placed)) buffer[Symbol.dispose]();
      }
    };
    if (!run.finished) {
      // A stream of its own: text that the teacher has seen comes in another order.
      const seed = beginning ? plan.seed + 1 : plan.seed;
      const batches = new Batches(corpus.data.train, { batch: stored.microBatch, context: model.context, seed });
      const steps = train({
        ...{ device, model, recipe: stored, batches, beginning, directory: run, signal },
        validate: (weights) => evaluation.quick(weights),
      });
      for (;;) {
        const next = await steps.next();
        if (next.done) {
          if (!next.value.finished) return undefined;
          break;
        }
        yield { kind: "step", ...next.value };
      }
      run.removeCheckpoint();
    }
    const { tensors } = await run.loadModel();
    const { loss, perplexity } = await measured(tensors);
    const start = beginning?.weights && (await measured(beginning.weights));
    const rows = await run.metrics<{ step: number; validation?: number; seconds: number }>();
    const curve = rows.flatMap(({ step, validation }) =>
      validation === undefined || validation === null ? [] : [{ tokens: tokensOf(step), loss: validation }],
    );
    if (start) curve.unshift({ tokens: 0, loss: start.quick });
    const { kind, sharing, init, isDistilled } = spec;
    const result: ConversionResult = {
      ...{ kind, name, model, sharing, kvBytesPerToken: kvBytesPerToken(model, "float32") },
      ...(init && { init }),
      ...(isDistilled !== undefined && { isDistilled }),
      ...(start && { before: start.loss }),
      ...{ after: loss, perplexity, curve, tokens: tokensOf(phase.steps) },
      seconds: rows.reduce((sum, { seconds }) => sum + seconds, 0),
    };
    results.push(result);
    yield { kind: "result", result };
    return tensors;
  }
}

interface RunSpec {
  readonly kind: ConversionResult["kind"];
  readonly name: string;
  readonly model: ModelConfig;
  readonly phase: { readonly steps: number; readonly learningRate: number };
  readonly sharing: string;
  readonly init?: Init;
  readonly isDistilled?: boolean;
  readonly beginning?: Beginning;
}

/** The run at `path`, begun if it is not there. @throws InputError if it was begun by another plan, or with other text. */
async function runAt(path: string, spec: RunSpec, recipe: Recipe, corpus: Corpus): Promise<RunDirectory> {
  const { name, model, beginning } = spec;
  const origin = beginning?.teacher && { kind: "distilled", share: beginning.teacher.share };
  const config = { name, model, recipe, data: corpusRecord(corpus), ...(origin && { origin }) };
  if (!RunDirectory.exists(path)) return RunDirectory.create(path, config, corpus.tokenizer.json);
  const run = await RunDirectory.open(path);
  const { data } = run.config;
  checkCorpus(checked(corpusRecordSchema, data, `${path}: data`), corpus);
  const before = run.config.origin === undefined ? { ...config, origin: undefined } : config; // it was not kept always
  const found = firstDifference(planned(run.config), planned(before));
  if (!found) return run;
  throw new InputError(
    `${path}: was begun with ${found.path} ${shown(found.was)}, the plan has ${shown(found.is)}; restore the plan, or choose another --out`,
  );
}

/** What a plan says of a run; threads, micro-batches and how often it saves are the machine's. */
function planned({ model, recipe, origin }: Omit<RunConfig, "name" | "data">): object {
  const { threads: _, microBatch: __, checkpointEvery: ___, saveDtype: ____, ...fixed } = recipe as Recipe;
  return JSON.parse(JSON.stringify({ model, recipe: fixed, origin }));
}

/** Throws InputError where a run was searched for another size of cache than the plan's. */
function checkBudget({ path, config }: RunDirectory, bytes: number): void {
  const { search } = (config.origin ?? {}) as { search?: { bytes?: number } };
  if (search?.bytes === bytes) return;
  throw new InputError(
    `${path}: was searched for ${search?.bytes} bytes a token, the plan asks for ${bytes}; restore the plan, or choose another --out`,
  );
}
