// What a plan asks of every model beside perplexity: tasks and probes. They are computed inside the trial, where its weights
// are, and stored in its result.

import { z } from "zod";
import { BucketJudge } from "../../eval/judge.ts";
import { type ContextProbes, probe, probeNames, usualContexts } from "../../eval/probes/probes.ts";
import { evaluateTask, type TaskScore } from "../../eval/tasks/evaluate.ts";
import { askedTasks, readTask, type TaskItems } from "../../eval/tasks/task-files.ts";
import type { ModelConfig } from "../../model/config.ts";
import type { Precision } from "../../model/precision.ts";
import type { Buffers, Device } from "../../runtime/device.ts";
import type { Corpus } from "../../text/corpus.ts";

const size = z.int().min(1);

/** The fields of a plan. */
export const evaluationFields = {
  /** Tasks of lm-evaluation-harness, as `eval --tasks` takes them; without a directory the hub's. */
  tasks: z
    .strictObject({ names: z.array(z.string()).min(1), directory: z.string().optional(), limit: size.optional() })
    .optional(),
  /** Probes of the context, on the text that is reported. */
  probes: z
    .strictObject({
      names: z
        .array(z.enum(probeNames))
        .min(1)
        .default([...probeNames]),
      contexts: z
        .array(size)
        .min(1)
        .default([...usualContexts]),
    })
    .optional(),
};

const fields = z.object(evaluationFields);

/** What is asked of a trial's model, with the items. */
export interface Evaluations {
  readonly tasks: readonly TaskItems[];
  readonly probes: z.output<typeof fields>["probes"];
}

/** Reads what a plan asks for; undefined where it asks for nothing. @throws InputError as `askedTasks` and `readTask`. */
export async function openEvaluations({ tasks, probes }: z.output<typeof fields>): Promise<Evaluations | undefined> {
  if (!tasks && !probes) return undefined;
  const sets: TaskItems[] = [];
  const asked = tasks ? askedTasks(tasks.names.join(","), tasks.directory) : [];
  for (const { task, where } of asked) sets.push(await readTask(task, where, { limit: tasks?.limit }));
  return { tasks: sets, probes };
}

/** What fixes the evaluations' figures, for a trial's key. */
export function evaluationsKey({ tasks, probes }: Evaluations): object {
  return { tasks: tasks.map(({ task, digest }) => [task.name, digest]), ...(probes && { probes }) };
}

/** Evaluates a trained model. */
export async function evaluateTrial(
  evaluations: Evaluations,
  device: Device,
  {
    model,
    weights,
    corpus,
    precision,
  }: { model: ModelConfig; weights: Buffers; corpus: Corpus; precision?: Precision | undefined },
): Promise<{ tasks?: Record<string, TaskScore>; probes?: ContextProbes[] }> {
  using judge = new BucketJudge(device, model, weights, { precision });
  const { tokenizer, data } = corpus;
  const tasks: Record<string, TaskScore> = {};
  for (const set of evaluations.tasks) tasks[set.task.name] = await evaluateTask({ judge, tokenizer }, set);
  const { probes } = evaluations;
  const prefix = tokenizer.prefix.at(-1) ?? tokenizer.endOfText;
  return {
    ...(evaluations.tasks.length > 0 && { tasks }),
    ...(probes && {
      probes: await probe(judge, data.test ?? data.validation, {
        probes: probes.names,
        contexts: probes.contexts,
        prefix,
      }),
    }),
  };
}
