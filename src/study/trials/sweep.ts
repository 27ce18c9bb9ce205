// Runs a study: it starts the runs that are due, keeps their results, and yields what happens. Knows no printing and no
// charts.

import { join } from "node:path";
import { InputError } from "../../error.ts";
import { makeDirectory } from "../../files/directory.ts";
import { lockDirectory } from "../../files/lock.ts";
import { type CorpusOptions, openCorpus } from "../../text/corpus.ts";
import type { TrainStep } from "../../train/training.ts";
import { writeQuestion } from "../numbers/question.ts";
import { appendResult, type Result, readResults } from "../numbers/result.ts";
import { type Done, due, finished, type TrialSpec } from "./due.ts";
import { openEvaluations } from "./evaluations.ts";
import type { StudyPlan } from "./plan.ts";
import { planTrial } from "./plan-trial.ts";
import { type Trial, trialKey } from "./trial.ts";
import { runApart, runHere, type TrialRun } from "./workers.ts";

/** What a study tells as it goes. */
export type StudyEvent =
  | { readonly kind: "trial"; readonly trial: Trial; readonly done: number; readonly atLeast: number }
  | { readonly kind: "step"; readonly trial: Trial; readonly step: TrainStep }
  | { readonly kind: "result"; readonly result: Result; readonly skipped: boolean };

/** Where a study keeps its work, and how it is stopped. */
export interface SweepOptions {
  /** Gets `results.jsonl`, `question.json`, the corpus and a directory per trial. */
  directory: string;
  threads?: number | undefined;
  /** Devices, as `openDevice` takes them, with a run on each at a time; the CPU, in this process, if not given. */
  devices?: readonly string[] | undefined;
  signal?: AbortSignal;
  /** Told before a tokenizer is trained and text is tokenized. */
  onCorpus?: CorpusOptions["onProgress"];
}

interface Running {
  readonly spec: TrialSpec;
  readonly trial: Trial;
  readonly run: TrialRun;
  readonly next: ReturnType<TrialRun["next"]>;
}

/** The file of a study's results. */
export const resultsPath = (directory: string) => join(directory, "results.jsonl");

/** The directory of a study's runs. */
export const trialsPath = (directory: string) => join(directory, "trials");

/** Runs a plan; returns its results, or undefined if `signal` stopped it. The same call later goes on. */
export async function* sweep(plan: StudyPlan, options: SweepOptions): AsyncGenerator<StudyEvent, Result[] | undefined> {
  const { directory, signal, threads, devices = [undefined] } = options;
  const evaluations = await openEvaluations(plan); // a missing file is told before anything is trained
  makeDirectory(directory);
  using _lock = lockDirectory(directory);
  const corpus = await openCorpus({ ...plan.data, directory: join(directory, "data"), onProgress: options.onCorpus });
  using _data = corpus.data;
  const known = new Map((await readResults(resultsPath(directory))).map((result) => [result.key, result]));
  const trials = new Map<string, Trial>();
  const trialOf = (spec: TrialSpec, device?: string) => planTrial(plan, corpus, spec, { threads, device, evaluations });
  const keyOf = (spec: TrialSpec) => {
    const name = JSON.stringify(spec);
    const trial = trials.get(name) ?? trialOf(spec, devices[0]);
    trials.set(name, trial);
    return trialKey(trial);
  };
  const done: Done = (spec) => {
    const result = known.get(keyOf(spec));
    const was = result?.dataset.identity;
    if (was === undefined || was === corpus.identity) return result;
    throw new InputError(
      `${resultsPath(directory)}: has results of other text of ${corpus.source} (its tokens hash to ${corpus.identity.slice(0, 12)}…, not ${was.slice(0, 12)}…); restore the text, or choose another --out`,
    );
  };
  await writeQuestion(directory, { title: plan.title ?? plan.name, contrasts: plan.contrasts });
  for (const result of finished(plan, done)) yield { kind: "result", result, skipped: true };

  const idle = new Set(devices);
  const running = new Map<string | undefined, Running>();
  await using _stopped = {
    [Symbol.asyncDispose]: async () => {
      for (const { run } of running.values()) await run.return(undefined).catch(() => undefined);
    },
  };
  for (;;) {
    const under = new Set([...running.values()].map(({ trial }) => trialKey(trial)));
    const next = due(plan, done).filter((spec) => !under.has(keyOf(spec)));
    for (const device of [...idle]) {
      const spec = signal?.aborted ? undefined : next.shift();
      if (!spec) break;
      const trial = trialOf(spec, device);
      const run: TrialRun =
        device === undefined
          ? runHere(trial, { directory: trialsPath(directory), signal })
          : runApart({ plan, spec, directory, device, threads }, signal);
      idle.delete(device);
      const count = finished(plan, done).length;
      yield { kind: "trial", trial, done: count + running.size, atLeast: count + running.size + 1 + next.length };
      running.set(device, { spec, trial, run, next: run.next() });
    }
    if (running.size === 0) break;
    const [device, news] = await Promise.race(
      [...running].map(async ([device, { next }]) => [device, await next] as const),
    );
    const { spec, trial, run } = running.get(device) as Running;
    if (!news.done) {
      running.set(device, { spec, trial, run, next: run.next() });
      yield { kind: "step", trial, step: news.value };
      continue;
    }
    running.delete(device);
    idle.add(device);
    if (!news.value) continue; // stopped
    const result: Result = { ...news.value, ...(spec.purpose && { purpose: spec.purpose }) };
    await appendResult(resultsPath(directory), result);
    known.set(result.key, result);
    yield { kind: "result", result, skipped: false };
  }
  return signal?.aborted && due(plan, done).length > 0 ? undefined : finished(plan, done);
}
