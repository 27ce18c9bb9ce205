// Does the real lm-evaluation-harness, asking `crosslayer serve` by its `local-completions` model, give every item the score
// that `crosslayer eval --tasks` gives it? Both score one run on the same items; the harness reads its own tasks, whose
// datasets are written here in the fields of the hub's. See docs/evaluation.md for the command.

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Sample } from "../src/eval/tasks/evaluate.ts";
import type { ChoiceItem, Item, Row } from "../src/eval/tasks/task.ts";
import { askedTasks, readTask, type TaskItems } from "../src/eval/tasks/task-files.ts";

const { values: flags } = parseArgs({
  options: {
    run: { type: "string" },
    tasks: { type: "string", default: "blimp,lambada,piqa,arc_easy,openbookqa,winogrande,boolq,copa,wikitext" },
    "tasks-dir": { type: "string" },
    limit: { type: "string", default: "20" },
    python: { type: "string", default: "python3" },
  },
});
const { run, "tasks-dir": tasksDir } = flags;
if (!run || !tasksDir) throw new Error("give --run <directory> and --tasks-dir <directory>");
const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const port = await freePort();
const work = mkdtempSync(join(tmpdir(), "lm-eval-agreement-"));
const limit = Number(flags.limit);
const { model } = JSON.parse(readFileSync(join(run, "config.json"), "utf8")) as { model: { context: number } };

/** The fields of the harness's own datasets, from which it makes the prompts by itself. */
const hubRow: Record<string, (item: Item) => object> = {
  blimp: (item) => {
    const [good, bad] = continuations(item);
    return { sentence_good: good?.slice(1), sentence_bad: bad?.slice(1) };
  },
  lambada: (item) => ({ text: context(item) + continuations(item)[0] }),
  piqa: (item) => ({
    goal: context(item)
      .replace(/^Question: /, "")
      .replace(/\nAnswer:$/, ""),
    sol1: continuations(item)[0]?.slice(1),
    sol2: continuations(item)[1]?.slice(1),
    label: gold(item),
  }),
  arc_easy: (item) => ({
    question: context(item)
      .replace(/^Question: /, "")
      .replace(/\nAnswer:$/, ""),
    ...labelled(item),
  }),
  openbookqa: (item) => ({ question_stem: context(item), ...labelled(item) }),
  winogrande: (item) => {
    const [one, two] = (item as ChoiceItem).requests.map(({ context }) => context) as [string, string];
    let same = 0;
    while (same < Math.min(one.length, two.length) && one[same] === two[same]) same++;
    return {
      sentence: `${one.slice(0, same)}_ ${continuations(item)[0]?.slice(1)}`,
      option1: one.slice(same),
      option2: two.slice(same),
      answer: String(gold(item) + 1),
    };
  },
  boolq: (item) => {
    const [, passage, question] = /^([\s\S]*)\nQuestion: ([\s\S]*)\?\nAnswer:$/.exec(context(item)) as RegExpExecArray;
    return { passage, question, label: gold(item) };
  },
  copa: (item) => {
    const [, premise, connector] = /^([\s\S]*) (because|therefore)$/.exec(context(item)) as RegExpExecArray;
    const [choice1, choice2] = continuations(item).map((choice) => choice.slice(2));
    const question = connector === "because" ? "cause" : "effect";
    return { premise: `${premise}.`, question, choice1, choice2, label: gold(item) };
  },
};
const context = (item: Item) => (item as ChoiceItem).requests[0]?.context as string;
const continuations = (item: Item) => (item as ChoiceItem).requests.map(({ continuation }) => continuation);
const gold = (item: Item) => (item as ChoiceItem).gold;
const labelled = (item: Item) => ({
  choices: {
    text: continuations(item).map((one) => one.slice(1)),
    label: continuations(item).map((_, i) => "ABCDE"[i]),
  },
  answerKey: "ABCDE"[gold(item)],
});

/** The harness's tasks by ours, and the split that it reads. */
const theirs: Record<string, { task: string; split: string }> = {
  lambada: { task: "lambada_openai", split: "test" },
  piqa: { task: "piqa", split: "validation" },
  arc_easy: { task: "arc_easy", split: "test" },
  openbookqa: { task: "openbookqa", split: "test" },
  winogrande: { task: "winogrande", split: "validation" },
  boolq: { task: "boolq", split: "validation" },
  copa: { task: "copa", split: "validation" },
  wikitext: { task: "wikitext", split: "test" },
};

/** Writes a task's rows where a local dataset of the harness's reads them; gives the harness's names. */
function writeRows(
  { task, subsets }: TaskItems,
  pages: ReadonlyMap<string, string[]>,
): { name: string; split: string; file: string; of: string }[] {
  return subsets.map(({ name, items }) => {
    const { task: theirTask, split } =
      name === undefined
        ? (theirs[task.name] as { task: string; split: string })
        : { task: `blimp_${name}`, split: "train" };
    const file = join(work, "data", `${theirTask}.jsonl`);
    const rows =
      task.name === "wikitext"
        ? (pages.get(task.name) ?? []).slice(0, items.length).map((page) => ({ page }))
        : items.map(hubRow[task.name] as (item: Item) => object);
    writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    return { name: theirTask, split, file, of: name === undefined ? task.name : `${task.name}/${name}` };
  });
}

const script = `
import json, sys
from datasets import load_dataset, DatasetDict
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager
from lm_eval.api.task import ConfigurableTask
spec = json.load(open(sys.argv[1]))
files = {t["name"]: t for t in spec["tasks"]}
def download(self, *args, **kwargs):
    t = files[self.config.task]
    rows = load_dataset("json", data_files=t["file"], split="train")
    splits = {s for s in (self.config.training_split, self.config.validation_split, self.config.test_split) if s}
    self.dataset = DatasetDict({s: rows for s in splits | {t["split"]}})
ConfigurableTask.download = download
out = simple_evaluate(
    model="local-completions",
    model_args=spec["model_args"],
    tasks=list(files),
    task_manager=TaskManager(),
    log_samples=True,
    bootstrap_iters=10000,
)
json.dump({
    "results": {k: {m: v for m, v in r.items() if isinstance(v, (int, float))} for k, r in out["results"].items()},
    "samples": {k: [{"id": s["doc_id"], "resps": s["filtered_resps"]} for s in rows] for k, rows in out["samples"].items()},
}, open(sys.argv[2], "w"))
`;

/** A port that nobody listens on. */
function freePort(): Promise<string> {
  return new Promise((resolve) => {
    const listener = createServer().listen(0, "127.0.0.1", () => {
      const { port } = listener.address() as { port: number };
      listener.close(() => resolve(String(port)));
    });
  });
}

mkdirSync(join(work, "data"));
const asked = askedTasks(flags.tasks, tasksDir);
const sets: TaskItems[] = [];
const pages = new Map<string, string[]>();
for (const { task, where } of asked) {
  const found: string[] = [];
  const noted = (row: Row, item: Item) => {
    found.push(row.page as string);
    return item;
  };
  sets.push(await readTask({ ...task, item: (row) => noted(row, task.item(row)) }, where, { limit }));
  pages.set(task.name, found);
}
const written = sets.flatMap((set) => writeRows(set, pages));

// The server answers a token beyond the prompt, so it holds one token less than the model: both sides read windows of that.
const ours = join(work, "samples.jsonl");
const window = String(model.context - 2);
const told = execFileSync(
  process.execPath,
  [
    main,
    "eval",
    run,
    "--tasks",
    flags.tasks,
    "--tasks-dir",
    tasksDir,
    "--limit",
    String(limit),
    "--samples",
    ours,
    "--window",
    window,
    "--json",
  ],
  { encoding: "utf8", maxBuffer: 2 ** 30, stdio: ["ignore", "pipe", "inherit"] },
);
const server = spawn(process.execPath, [main, "serve", run, "--port", port], {
  stdio: ["ignore", "inherit", "inherit"],
});
try {
  const address = `http://127.0.0.1:${port}`;
  for (;;) {
    const health = await fetch(`${address}/health`).catch(() => undefined);
    if (health?.ok) break;
    if (server.exitCode !== null) throw new Error("the server has ended");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const [served] = ((await (await fetch(`${address}/v1/models`)).json()) as { data: { id: string }[] }).data;
  const args = `model=${served?.id},base_url=${address}/v1/completions,max_length=${model.context},num_concurrent=8`;
  writeFileSync(join(work, "spec.json"), JSON.stringify({ tasks: written, model_args: args }));
  writeFileSync(join(work, "judge.py"), script);
  execFileSync(flags.python, [join(work, "judge.py"), join(work, "spec.json"), join(work, "theirs.json")], {
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      HF_DATASETS_OFFLINE: "1",
      HF_HOME: join(work, "hf"),
      TOKENIZERS_PARALLELISM: "false",
      DISABLE_MULTIPROC: "1",
    },
  });
} finally {
  server.kill("SIGKILL");
}

interface Theirs {
  results: Record<string, Record<string, number>>;
  samples: Record<string, { id: number; resps: ([number, boolean] | number)[] }[]>;
}
const judged = JSON.parse(readFileSync(join(work, "theirs.json"), "utf8")) as Theirs;
const samples = readFileSync(ours, "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Sample);
const scores = (
  JSON.parse(told) as {
    tasks: Record<
      string,
      {
        metrics: Record<string, { value: number; standardError?: number }>;
        subsets?: Record<string, { metrics: Record<string, { value: number; standardError?: number }> }>;
      }
    >;
  }
).tasks;
const rows = new Map<string, { texts: number; worst: number; relative: number; greedy: number; figures: string }>();
for (const { name, of } of written) {
  const [task, subset] = of.split("/") as [string, string?];
  const mine = samples.filter((sample) => sample.task === task && sample.subset === subset);
  const row = rows.get(task) ?? { texts: 0, worst: 0, relative: 0, greedy: 0, figures: "" };
  rows.set(task, row);
  const found = [...(judged.samples[name] ?? [])].sort((a, b) => a.id - b.id);
  if (found.length !== mine.length) throw new Error(`${of}: ${mine.length} items here, ${found.length} there`);
  for (const [i, { responses }] of mine.entries()) {
    const resps = found[i]?.resps ?? [];
    for (const [j, [logprob, greedy]] of responses.entries()) {
      const other = resps[j];
      const [value, likeliest] = Array.isArray(other) ? other : [other as number, greedy];
      row.texts++;
      row.worst = Math.max(row.worst, Math.abs(logprob - value));
      row.relative = Math.max(row.relative, Math.abs(logprob - value) / Math.abs(value));
      row.greedy += Number(greedy !== likeliest);
    }
  }
  const figures = (subset === undefined ? scores[task] : scores[task]?.subsets?.[subset])?.metrics ?? {};
  for (const [metric, { value, standardError }] of Object.entries(figures)) {
    const there = judged.results[name] as Record<string, number>;
    const [figure, error] = [there[`${metric},none`], there[`${metric}_stderr,none`]];
    const off = Math.abs(value - (figure as number)) / Math.max(1e-9, Math.abs(figure as number));
    if (subset === undefined)
      row.figures += ` ${metric} ${value.toPrecision(5)} ± ${standardError?.toPrecision(3) ?? "-"} (harness ${figure?.toPrecision(5)} ± ${error?.toPrecision(3) ?? "-"})`;
    else if (!(off < 1e-4)) row.figures += ` ${subset}: ${value} against ${figure}`;
  }
}
console.log("\ntask         texts  largest |difference| (nats)  relative   greedy differs");
for (const [task, { texts, worst, relative, greedy, figures }] of rows) {
  console.log(
    `${task.padEnd(12)}${String(texts).padStart(6)}  ${worst.toExponential(1).padStart(27)}  ${relative.toExponential(1)}  ${String(greedy).padStart(12)} ${figures}`,
  );
}
rmSync(work, { recursive: true });
