// Which runs of a plan come next, from those that are done. Pure: it runs nothing and reads nothing.

import { InputError } from "../../error.ts";
import type { Result } from "../numbers/result.ts";
import { bestLearningRate } from "../numbers/statistics.ts";
import type { StudyPlan } from "./plan.ts";

/** One run of a plan, as data. */
export interface TrialSpec {
  /** The model's name. */
  readonly name: string;
  readonly learningRate: number;
  readonly seed: number;
}

/** The result of a run that is done. */
export type Done = (spec: TrialSpec) => Result | undefined;

/** How far beyond its list a best learning rate is looked for. */
const outwardSteps = 3;

/**
 * The runs that can begin now, in the order in which they should: seeds before models, so that a stop at any time leaves
 * models with the same seeds. Empty when the plan is done, or waits for runs that are under way.
 */
export function due(plan: StudyPlan, done: Done): TrialSpec[] {
  return planned(plan, done).filter((spec) => !done(spec));
}

/** The results of a plan's runs: model by model, by learning rate and seed. */
export function finished(plan: StudyPlan, done: Done): Result[] {
  const results = planned(plan, done).flatMap((spec) => done(spec) ?? []);
  const place = ({ name }: Result) => plan.models.indexOf(name);
  return results.sort((a, b) => place(a) - place(b) || a.learningRate - b.learningRate || a.seed - b.seed);
}

/** The runs that are known to be needed. */
function planned(plan: StudyPlan, done: Done): TrialSpec[] {
  const { learningRates, tuningSeeds, models, seeds } = plan;
  if (!Array.isArray(learningRates)) return models.flatMap((name) => climbed(plan, name, learningRates, done));
  if (!tuningSeeds) return grid(models, learningRates, seeds);
  const tuning = tuningSeeds.flatMap((seed) =>
    models.flatMap((name) => ratesOf(name).map((learningRate) => ({ name, learningRate, seed }))),
  );
  const chosen = new Map(models.map((name) => [name, chosenRate(name)]));
  const reported = seeds.flatMap((seed) =>
    models.flatMap((name) => {
      const learningRate = chosen.get(name);
      return learningRate === undefined ? [] : [{ name, learningRate, seed }];
    }),
  );
  return [...tuning, ...reported];

  /** The rates that a model's is chosen from: the list, and beyond it while the best is at an edge. */
  function ratesOf(name: string): number[] {
    const rates = [...(learningRates as number[])].sort((a, b) => a - b);
    for (let step = 0; step < outwardSteps && rates.length > 1; step++) {
      const runs = tuned(name, rates);
      if (!runs) break;
      const best = bestLearningRate(runs);
      const [low, second] = rates as [number, number];
      const [high, before] = [rates.at(-1) as number, rates.at(-2) as number];
      if (best === low) rates.unshift(rounded(low / (second / low)));
      else if (best === high && !diverges(runs, high)) rates.push(rounded(high * (high / before)));
      else break;
    }
    return rates;
  }

  function chosenRate(name: string): number | undefined {
    const runs = tuned(name, ratesOf(name));
    return runs && bestLearningRate(runs);
  }

  /** A model's tuning runs at all of `rates`, if all are done. */
  function tuned(name: string, rates: readonly number[]): Result[] | undefined {
    const specs = grid([name], rates, tuningSeeds as number[]);
    const runs = specs.flatMap((spec) => done(spec) ?? []);
    return runs.length === specs.length ? runs : undefined;
  }
}

function grid(models: readonly string[], rates: readonly number[], seeds: readonly number[]): TrialSpec[] {
  return seeds.flatMap((seed) => rates.flatMap((learningRate) => models.map((name) => ({ name, learningRate, seed }))));
}

/**
 * The paper's protocol (§5.1): upward by a factor until the first seed's validation loss stops improving. From a start that
 * diverges it goes down to one that does not.
 */
function climbed(
  { seeds }: StudyPlan,
  name: string,
  { start, factor, most }: { start: number; factor: number; most: number },
  done: Done,
): TrialSpec[] {
  const [first, ...others] = seeds as [number, ...number[]];
  const tried: TrialSpec[] = [];
  let best: { rate: number; loss: number } | undefined;
  for (let [i, power] = [0, 0]; i < most; i++) {
    const spec = { name, learningRate: rounded(start * factor ** power), seed: first };
    tried.push(spec);
    const result = done(spec);
    if (!result) return tried;
    const { loss } = result.validation;
    if (!best && !Number.isFinite(loss)) {
      power--;
      continue;
    }
    if (best && !(loss < best.loss)) break;
    best = { rate: spec.learningRate, loss };
    if (power < 0) break; // the rate above it diverged
    power++;
  }
  if (!best)
    throw new InputError(`study: ${name} diverges at all learning rates down from ${start}; give a lower start`);
  const { rate } = best;
  return [...tried, ...others.map((seed) => ({ name, learningRate: rate, seed }))];
}

function diverges(runs: readonly Result[], rate: number): boolean {
  return runs.some(({ learningRate, validation }) => learningRate === rate && !Number.isFinite(validation.loss));
}

function rounded(rate: number): number {
  return Number(rate.toPrecision(4));
}
