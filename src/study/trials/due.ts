// Which runs of a plan come next, from those that are done. Pure: it runs nothing and reads nothing.

import { mean } from "../../tensor/estimate.ts";
import type { Result } from "../numbers/result.ts";
import type { StudyPlan } from "./plan.ts";
import { climb, type LossAt, parabolaBest, type RateSearch, searchList } from "./rate-search.ts";

/** One run of a plan, as data. */
export interface TrialSpec {
  /** The model's name. */
  readonly name: string;
  readonly learningRate: number;
  readonly seed: number;
  /** The run chooses a learning rate and is not reported. */
  readonly purpose?: "tuning";
}

/** The result of a run that is done. */
export type Done = (spec: TrialSpec) => Result | undefined;

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
  const runs = (of: readonly number[], ratesOf: (name: string) => readonly number[]) =>
    of.flatMap((seed) => models.flatMap((name) => ratesOf(name).map((learningRate) => ({ name, learningRate, seed }))));
  if (!tuningSeeds && Array.isArray(learningRates)) {
    return seeds.flatMap((seed) => learningRates.flatMap((rate) => runs([seed], () => [rate])));
  }

  const searches = new Map(models.map((name) => [name, search(name)]));
  const chosen = (name: string): readonly number[] => {
    const { best, rates } = searches.get(name) as RateSearch;
    if (best === undefined) return [];
    const tried = rates.map((rate) => ({ rate, loss: lossAt(name)(rate) ?? Number.NaN }));
    return [tuningSeeds ? parabolaBest(tried).rate : best];
  };
  const tried = runs(tuningSeeds ?? seeds.slice(0, 1), (name) => (searches.get(name) as RateSearch).rates);
  // Without seeds for tuning the first seed's run at the best rate is reported with the others.
  if (!tuningSeeds) return [...tried, ...runs(seeds.slice(1), chosen)];
  return [...tried.map((spec) => ({ ...spec, purpose: "tuning" as const })), ...runs(seeds, chosen)];

  function search(name: string): RateSearch {
    if (Array.isArray(learningRates)) return searchList(learningRates, lossAt(name));
    return climb(name, learningRates, lossAt(name));
  }

  function lossAt(name: string): LossAt {
    return (learningRate) => {
      const specs: TrialSpec[] = (tuningSeeds ?? seeds.slice(0, 1)).map((seed) => ({ name, learningRate, seed }));
      const results = specs.map((spec) => done(tuningSeeds ? { ...spec, purpose: "tuning" } : spec));
      return results.includes(undefined)
        ? undefined
        : mean(results.map((result) => (result as Result).validation.loss));
    };
  }
}
