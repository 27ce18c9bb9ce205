// A study's directory as the page shows it: results as they come, runs that are under way, and which of its models can be
// asked. Reads only what changed since it was last read.

import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { RunDirectory } from "../checkpoint/run-directory.ts";
import { InputError } from "../error.ts";
import { conclude } from "../study/numbers/conclusions.ts";
import { thinCurve } from "../study/numbers/curve.ts";
import { questionPath, readQuestion } from "../study/numbers/question.ts";
import { type CurvePoint, type Result, readResults } from "../study/numbers/result.ts";
import { learningRateSweep } from "../study/numbers/summary.ts";
import { finding } from "../study/report/finding.ts";
import { resultsPath, trialsPath } from "../study/trials/sweep.ts";
import { keyOfTrial } from "../study/trials/trial.ts";
import type { LiveRun, StudyReply } from "./page-api.ts";
import type { ServedRun } from "./served-models.ts";

/** A study that is served. */
export class ServedStudy {
  readonly directory: string;
  readonly #ids: ReadonlyMap<string, string>; // of runs with weights, by the result's key
  #state = "";
  #reply: { tag: string; body: string } | undefined;

  private constructor(directory: string, ids: ReadonlyMap<string, string>) {
    this.directory = directory;
    this.#ids = ids;
  }

  /** Opens a study and tells the runs whose models can be served. @throws InputError if there is no study. */
  static async open(directory: string): Promise<{ study: ServedStudy; runs: ServedRun[] }> {
    const results = await readResults(resultsPath(directory));
    const trials = await trialNames(directory);
    if (results.length === 0 && trials.length === 0) {
      throw new InputError(
        `${directory}: no study here (no results.jsonl and no trials); make one with crosslayer study --out ${directory}`,
      );
    }
    const runs: ServedRun[] = [];
    const ids = new Map<string, string>();
    for (const { key, name, learningRate, seed } of results) {
      const trial = trials.find((found) => keyOfTrial(found) === key);
      if (trial === undefined) continue;
      const path = join(trialsPath(directory), trial);
      if (!(await hasWeights(path))) continue;
      const short = `${name}-lr${learningRate}-seed${seed}`;
      const id = runs.some((run) => run.id === short) ? trial : short;
      ids.set(key, id);
      runs.push({ id, path });
    }
    return { study: new ServedStudy(directory, ids), runs };
  }

  /** The page's reply as JSON, with a tag that changes when it does. */
  async reply(): Promise<{ tag: string; body: string }> {
    const trials = await trialNames(this.directory);
    const files = [
      resultsPath(this.directory),
      questionPath(this.directory),
      ...trials.map((trial) => join(trialsPath(this.directory), trial, "metrics.jsonl")),
    ];
    const states = await Promise.all(
      files.map((file) =>
        stat(file).then(
          ({ size, mtimeMs }) => `${size}@${mtimeMs}`,
          () => "",
        ),
      ),
    );
    const state = states.join();
    if (this.#reply && state === this.#state) return this.#reply;
    const body = JSON.stringify(await this.#read(trials));
    this.#state = state;
    this.#reply = { tag: `"${Date.now().toString(36)}-${body.length.toString(36)}"`, body };
    return this.#reply;
  }

  async #read(trials: readonly string[]): Promise<StudyReply> {
    const results = await readResults(resultsPath(this.directory));
    const done = new Set(results.map(({ key }) => key));
    const open = trials.filter((trial) => !done.has(keyOfTrial(trial)));
    const live = await Promise.all(open.map((trial) => liveRun(join(trialsPath(this.directory), trial))));
    const { title, contrasts } = (await readQuestion(this.directory)) ?? {};
    const concluded = conclude(results, contrasts);
    return {
      title: title ?? basename(this.directory),
      finding: results.length === 0 ? [] : finding(concluded),
      results: results.map((result): Result & { id?: string } => {
        const id = this.#ids.get(result.key);
        return { ...result, ...(id !== undefined && { id }) };
      }),
      summary: concluded.summary.map(({ runs: _, ...row }) => row),
      sweep: learningRateSweep(results),
      live: live.filter((run) => run !== undefined),
    };
  }
}

async function trialNames(directory: string): Promise<string[]> {
  const names = await readdir(trialsPath(directory)).catch(() => []);
  return names.filter((name) => !name.startsWith(".")).sort(); // a hidden one is being copied
}

async function hasWeights(path: string): Promise<boolean> {
  if (!RunDirectory.exists(path)) return false;
  return (await RunDirectory.open(path)).finished;
}

/** A run that is under way, as far as its files tell; undefined while they are being made. */
async function liveRun(path: string): Promise<LiveRun | undefined> {
  try {
    const directory = await RunDirectory.open(path);
    const { name, recipe, model } = directory.config;
    const { steps, learningRate, seed } = recipe as { steps: number; learningRate: number; seed: number };
    const curve = thinCurve(await directory.metrics<CurvePoint>());
    return { name, learningRate, seed, model: { sharing: model.sharing }, steps, curve };
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}
