// What a run scored on tasks and probes, as its result stores it, and a model's means over seeds. Knows no reports.

import { z } from "zod";
import { InputError } from "../../error.ts";
import type { ContextProbes } from "../../eval/probes/probes.ts";
import type { TaskScore } from "../../eval/tasks/evaluate.ts";
import { type Estimate, estimate } from "../../tensor/estimate.ts";

/** Scores by task. */
export type TaskScores = Readonly<Record<string, TaskScore>>;

const count = z.int().min(0);
const measured = z.number().or(z.null().transform(() => Number.NaN)); // JSON writes NaN and infinities as null
const figure = z.object({ value: measured, standardError: measured.optional() });
const figures = z.record(z.string(), figure);

/** Checks scores from JSON. */
export const taskScoresSchema: z.ZodType<TaskScores> = z.record(
  z.string(),
  z.object({
    items: count,
    metrics: figures,
    subsets: z.record(z.string(), z.object({ items: count, metrics: figures })).optional(),
    cut: count,
    pieces: count,
    digest: z.string(),
  }),
);

const counted = figure.extend({ tokens: count });

/** Checks probes from JSON. */
export const probesSchema: z.ZodType<readonly ContextProbes[]> = z.array(
  z.object({
    context: count,
    windows: count,
    position: z.array(z.object({ from: count, to: count, loss: figure })).optional(),
    copying: z.object({ repeated: counted, others: counted }).optional(),
    retrieval: z.array(z.object({ distance: count, loss: figure, control: figure, accuracy: figure })).optional(),
  }),
);

/** A metric of a task, over the runs of a model. */
export interface TaskEstimate {
  /** As in `blimp acc`. */
  readonly metric: string;
  /** Over seeds; of one run its own value with the error that its items give. */
  readonly score: Estimate;
}

/** What runs of one model scored: a row per metric of each task that all of them have. */
export function taskEstimates(runs: readonly { readonly tasks?: TaskScores | undefined }[]): TaskEstimate[] {
  const [first] = runs;
  return Object.entries(first?.tasks ?? {}).flatMap(([task, { metrics }]) => {
    if (!runs.every(({ tasks }) => tasks?.[task])) return [];
    return Object.keys(metrics).map((metric) => {
      const found = runs.map(({ tasks }) => tasks?.[task]?.metrics[metric] ?? { value: Number.NaN });
      const over = estimate(found.map(({ value }) => value));
      const score = runs.length > 1 ? over : { ...over, standardError: found[0]?.standardError };
      return { metric: `${task} ${metric}`, score };
    });
  });
}

/** @throws InputError where two runs were scored on different items of a task. */
export function checkSameItems(
  runs: readonly { readonly name: string; readonly tasks?: TaskScores | undefined }[],
): void {
  const first = new Map<string, { name: string; digest: string }>();
  for (const { name, tasks = {} } of runs) {
    for (const [task, { digest }] of Object.entries(tasks)) {
      const other = first.get(task) ?? { name, digest };
      first.set(task, other);
      if (other.digest === digest) continue;
      throw new InputError(
        `summary: ${other.name} and ${name} were scored on different items of ${task}; score them alike`,
      );
    }
  }
}
