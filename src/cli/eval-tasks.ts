// `crosslayer eval --tasks`: a run on the tasks of lm-evaluation-harness.

import Table from "cli-table3";
import { integerText } from "../charts/quantity.ts";
import { evaluateTask, type Sample, type TaskScore } from "../eval/tasks/evaluate.ts";
import { askedTasks, readTask } from "../eval/tasks/task-files.ts";
import { AtomicFile } from "../files/atomic-file.ts";
import { jsonLines } from "../files/json-lines.ts";
import type { EvaluatedModel } from "./evaluated-model.ts";
import { progress } from "./progress.ts";

/** What the options give. */
export interface TaskFlags {
  tasks?: string;
  tasksDir?: string;
  limit?: number;
  samples?: string;
  bos?: boolean;
}

/** The scores of the tasks that are asked for, by name. All files are read before anything is computed. */
export async function taskScores(
  { judge, tokenizer }: EvaluatedModel,
  { tasks = "", tasksDir, limit, samples, bos }: TaskFlags,
): Promise<Record<string, TaskScore>> {
  const asked = askedTasks(tasks, tasksDir);
  const sets = [];
  for (const { task, where } of asked) sets.push(await readTask(task, where, { limit }));
  using writer = samples === undefined ? undefined : sampleWriter(samples);
  const scores: Record<string, TaskScore> = {};
  for (const set of sets) {
    let bar: ReturnType<typeof progress> | undefined;
    const onProgress = (done: number, total: number) => {
      bar ??= progress(set.task.name.padEnd(12), total);
      bar.update(done, "");
    };
    scores[set.task.name] = await evaluateTask({ judge, tokenizer, prefixed: bos }, set, {
      onProgress,
      ...(writer && { onSample: writer.write }),
    });
    bar?.stop();
  }
  writer?.finish();
  return scores;
}

/** Writes samples, a line of JSON each, to a file that appears when all are there. @throws InputError if it cannot be. */
function sampleWriter(path: string): Disposable & { write(sample: Sample): void; finish(): void } {
  const file = new AtomicFile(path);
  let at = 0;
  return {
    write(sample) {
      const bytes = new TextEncoder().encode(jsonLines([sample]));
      file.write(bytes, at);
      at += bytes.length;
    },
    finish: () => file.finish(),
    [Symbol.dispose]: () => file[Symbol.dispose](),
  };
}

/** The scores for people. */
export function scoresText(scores: Readonly<Record<string, TaskScore>>): string {
  const table = new Table({
    head: ["task", "items", "metric", "value", "±"],
    colAligns: ["left", "right", "left", "right", "right"],
    chars: { ...borderless, middle: "", mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" },
    style: { head: [], border: [], compact: true, "padding-left": 0, "padding-right": 2 },
  });
  const notes: string[] = [];
  for (const [name, { items, metrics, subsets, cut, pieces }] of Object.entries(scores)) {
    for (const [i, [metric, { value, standardError }]] of Object.entries(metrics).entries()) {
      const first = i === 0;
      const error = standardError === undefined ? "" : figureText(standardError);
      table.push([first ? name : "", first ? integerText(items) : "", metric, figureText(value), error]);
    }
    if (subsets) notes.push(`${name}: the mean of ${Object.keys(subsets).length} subsets; --json has each`);
    if (cut > 0)
      notes.push(
        `${name}: ${integerText(cut)} texts are longer than the model reads; their contexts lost their beginnings`,
      );
    if (pieces > 0)
      notes.push(
        `${name}: ${integerText(pieces)} continuations are longer than the model reads; they were scored in pieces`,
      );
  }
  const lines = table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd());
  return [...lines, ...notes].join("\n");
}

const borderless = Object.fromEntries(
  ["top", "bottom", "left", "right"]
    .flatMap((side) => [side, `${side}-mid`, `${side}-left`, `${side}-right`])
    .map((name) => [name, ""]),
);

function figureText(value: number): string {
  return Math.abs(value) >= 1000 ? value.toPrecision(6) : value.toFixed(4);
}
