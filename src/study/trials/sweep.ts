// A study's runs, one after another: every model, learning rate and seed of its plan, skipping what its results hold
// already. Yields what happens; knows no printing and no charts.

import { join } from "node:path";
import { type Corpus, type CorpusOptions, openCorpus } from "../../text/corpus.ts";
import { fittingMicroBatch } from "../../train/micro-batch.ts";
import { recipe } from "../../train/recipe.ts";
import type { TrainStep } from "../../train/training.ts";
import { appendResult, type Result, readResults } from "../numbers/result.ts";
import { planModel, planRecipe, type StudyPlan } from "./plan.ts";
import { runTrial, type Trial, trialKey } from "./trial.ts";

/** What a study tells as it goes. */
export type StudyEvent =
  | { readonly kind: "trial"; readonly trial: Trial; readonly done: number; readonly atLeast: number }
  | { readonly kind: "step"; readonly trial: Trial; readonly step: TrainStep }
  | { readonly kind: "result"; readonly result: Result; readonly skipped: boolean };

/** Where a study keeps its work, and how it is stopped. */
export interface SweepOptions {
  /** Gets `results.jsonl`, the corpus and a directory per trial. */
  directory: string;
  threads?: number;
  signal?: AbortSignal;
  /** Told before a tokenizer is trained and text is tokenized. */
  onCorpus?: CorpusOptions["onProgress"];
}

/** The file of a study's results. */
export const resultsPath = (directory: string) => join(directory, "results.jsonl");

/** The directory of a study's runs. */
export const trialsPath = (directory: string) => join(directory, "trials");

/** Runs a plan; returns its results, or undefined if `signal` stopped it. The same call later goes on. */
export async function* sweep(plan: StudyPlan, options: SweepOptions): AsyncGenerator<StudyEvent, Result[] | undefined> {
  const { directory, signal, threads } = options;
  const corpus = await openCorpus({
    ...plan.data,
    directory: join(directory, "data"),
    onProgress: options.onCorpus,
  });
  using _data = corpus.data;
  const known = new Map((await readResults(resultsPath(directory))).map((result) => [result.key, result]));
  const found: Result[] = [];
  const { seeds, learningRates } = plan;
  const perModel = Array.isArray(learningRates) ? learningRates.length * seeds.length : seeds.length + 1; // a climb tries two
  const atLeast = plan.models.length * perModel;

  const run = async function* (name: string, learningRate: number, seed: number) {
    const trial = planTrial(plan, corpus, name, { learningRate, seed, threads });
    const before = known.get(trialKey(trial));
    if (before) {
      yield { kind: "result", result: before, skipped: true } as const;
      found.push(before);
      return before;
    }
    yield { kind: "trial", trial, done: found.length, atLeast } as const;
    const steps = runTrial(trial, { directory: trialsPath(directory), signal });
    for (;;) {
      const next = await steps.next();
      if (!next.done) {
        yield { kind: "step", trial, step: next.value } as const;
        continue;
      }
      const result = next.value;
      if (!result) return undefined;
      await appendResult(resultsPath(directory), result);
      found.push(result);
      yield { kind: "result", result, skipped: false } as const;
      return result;
    }
  };

  for (const name of plan.models) {
    const chosen = Array.isArray(learningRates) ? learningRates : yield* climb(name);
    if (!chosen) return undefined;
    for (const learningRate of chosen) {
      for (const seed of seeds) {
        if (
          found.some((result) => result.name === name && result.learningRate === learningRate && result.seed === seed)
        ) {
          continue; // the climb's own
        }
        if (!(yield* run(name, learningRate, seed))) return undefined;
      }
    }
  }
  return found;

  /** The paper's protocol (§5.1): upward by a factor until the first seed's validation loss stops improving. */
  async function* climb(name: string): AsyncGenerator<StudyEvent, number[] | undefined> {
    const { start, factor, most } = learningRates as { start: number; factor: number; most: number };
    let best: { rate: number; loss: number } | undefined;
    for (let i = 0; i < most; i++) {
      const rate = Number((start * factor ** i).toPrecision(4));
      const result: Result | undefined = yield* run(name, rate, seeds[0] as number);
      if (!result) return undefined;
      const { loss } = result.validation;
      if (best && !(loss < best.loss)) break;
      best = { rate, loss };
    }
    return best ? [best.rate] : undefined;
  }
}

function planTrial(
  plan: StudyPlan,
  corpus: Corpus,
  name: string,
  { learningRate, seed, threads }: { learningRate: number; seed: number; threads: number | undefined },
): Trial {
  const model = planModel(plan, name, corpus.tokenizer.vocab);
  const asked = { ...planRecipe(plan), learningRate, seed, ...(threads === undefined ? {} : { threads }) };
  const resolved = recipe(asked);
  const microBatch = asked.microBatch ?? fittingMicroBatch(model, resolved);
  return { name, model, recipe: { ...resolved, microBatch }, corpus, prompt: plan.prompt };
}
