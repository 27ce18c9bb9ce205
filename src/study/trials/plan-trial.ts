// From a plan's run, as data, to the trial that can be run on a corpus.

import type { Corpus } from "../../text/corpus.ts";
import { fittingMicroBatch } from "../../train/micro-batch.ts";
import { recipe } from "../../train/recipe.ts";
import type { TrialSpec } from "./due.ts";
import type { Evaluations } from "./evaluations.ts";
import { planModel, planRecipe, type StudyPlan } from "./plan.ts";
import type { Trial } from "./trial.ts";

/** Where a trial is to be computed. */
export interface TrialPlace {
  /** Threads of each operation on the CPU; all cores if not given. */
  readonly threads?: number | undefined;
  /** As `openDevice` takes it; the CPU if not given. */
  readonly device?: string | undefined;
  /** What the plan asks beside perplexity. */
  readonly evaluations?: Evaluations | undefined;
}

/** The trial of `spec`. A plan that names no micro-batch gets the whole batch on a device, what fits on the CPU. */
export function planTrial(plan: StudyPlan, corpus: Corpus, spec: TrialSpec, place: TrialPlace): Trial {
  const { threads, device } = place;
  const { name, learningRate, seed, purpose } = spec;
  const evaluations = purpose === "tuning" ? undefined : place.evaluations; // nothing but its loss is asked of a rate that is tried
  const model = planModel(plan, name, corpus.tokenizer.vocab);
  const asked = { ...planRecipe(plan), learningRate, seed, ...(threads === undefined ? {} : { threads }) };
  const resolved = recipe(asked);
  const microBatch = asked.microBatch ?? (device === undefined ? fittingMicroBatch(model, resolved) : resolved.batch);
  return { name, model, recipe: { ...resolved, microBatch }, corpus, prompt: plan.prompt, device, evaluations };
}
