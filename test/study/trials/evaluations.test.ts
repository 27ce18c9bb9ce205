// Tasks and probes that a plan asks for: computed inside the trial, stored in its result, shown in what a study leaves.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RunDirectory } from "../../../src/checkpoint/run-directory.ts";
import { InputError } from "../../../src/error.ts";
import { plainJudge } from "../../../src/eval/judge.ts";
import { probe } from "../../../src/eval/probes/probes.ts";
import { Scorer } from "../../../src/eval/scorer.ts";
import { evaluateTask } from "../../../src/eval/tasks/evaluate.ts";
import { askedTasks, readTask } from "../../../src/eval/tasks/task-files.ts";
import { putAll } from "../../../src/runtime/device.ts";
import { checkSameItems, taskEstimates } from "../../../src/study/numbers/evaluations.ts";
import { type Result, readResults } from "../../../src/study/numbers/result.ts";
import { summarize } from "../../../src/study/numbers/summary.ts";
import { evaluationsMarkdown, evaluationsText } from "../../../src/study/report/evaluation-table.ts";
import { writeOutputs } from "../../../src/study/report/outputs.ts";
import { type StudyPlanInput, studyPlan } from "../../../src/study/trials/plan.ts";
import { resultsPath, sweep, trialsPath } from "../../../src/study/trials/sweep.ts";
import { openCorpus } from "../../../src/text/corpus.ts";
import type { Shard } from "../../../src/text/shard.ts";
import { cpu1 } from "../../runtime/program.ts";

const fixtures = fileURLToPath(new URL("../../fixtures/tasks", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "crosslayer-evaluations-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const words = "the boats were old and she sold every apple so the bag was large for all who come after".split(" ");
const text = (i: number) =>
  Array.from({ length: 60 }, (_, j) => words[(i * 7 + j * (1 + (i % 5))) % words.length]).join(" ");
const source = join(scratch, "text.jsonl");
writeFileSync(source, Array.from({ length: 40 }, (_, i) => JSON.stringify({ text: text(i) })).join("\n"));

const input: StudyPlanInput = {
  name: "tiny",
  data: { source, vocab: 270, validationFraction: 0.1 },
  family: { layers: 4, width: 16, mlpWidth: 32 },
  context: 32,
  models: ["H8-MQA", "H8-MQA-CLA2"],
  seeds: [1],
  learningRates: [0.01],
  recipe: { steps: 3, batch: 2 },
  tasks: { names: ["blimp", "lambada", "piqa", "wikitext"], directory: fixtures },
  probes: { contexts: [16, 32] },
};

async function run(directory: string, plan = studyPlan(input)): Promise<{ results: Result[]; trained: number }> {
  let trained = 0;
  const events = sweep(plan, { directory, threads: 1 });
  for (;;) {
    const next = await events.next();
    if (next.done) return { results: next.value as Result[], trained };
    if (next.value.kind === "result" && !next.value.skipped) trained++;
  }
}

const directory = join(scratch, "study");
let results: Result[];
beforeAll(async () => {
  ({ results } = await run(directory));
});

describe("a study's evaluations", () => {
  it("are not asked of the runs that learning rates are tuned by", async () => {
    const one = { ...input, models: ["H8-MQA"], learningRates: [0.005, 0.01, 0.02], tuningSeeds: [9] };
    const { results } = await run(join(scratch, "tuned"), studyPlan(one));
    const asked = results.map(({ purpose, tasks, probes }) => [purpose, tasks !== undefined, probes !== undefined]);
    expect(asked.filter(([purpose]) => purpose === "tuning").length).toBeGreaterThanOrEqual(3);
    for (const [purpose, ...found] of asked) expect(found).toEqual(Array(2).fill(purpose !== "tuning"));
  });

  it("are those of the trial's weights, by a plain scorer of the whole context", async () => {
    const corpus = await openCorpus({ ...studyPlan(input).data, directory: join(directory, "data") });
    using _data = corpus.data;
    const { tokenizer } = corpus;
    for (const { key, model, tasks = {}, probes = [] } of results) {
      const path = readdirSync(trialsPath(directory)).find((name) => name.endsWith(key)) as string;
      const { tensors } = await (await RunDirectory.open(join(trialsPath(directory), path))).loadModel();
      using scorer = await Scorer.create(cpu1, model, { batch: 1 });
      const judge = plainJudge(scorer.with(putAll(cpu1, tensors)), model.context);
      for (const { task, where } of askedTasks("blimp,lambada,piqa,wikitext", fixtures)) {
        const wanted = await evaluateTask({ judge, tokenizer }, await readTask(task, where));
        const found = tasks[task.name];
        expect({ ...found, metrics: {}, subsets: {} }).toEqual({ ...wanted, metrics: {}, subsets: {} });
        for (const [metric, { value }] of Object.entries(wanted.metrics)) {
          expect((found?.metrics[metric]?.value as number) / (value || 1)).toBeCloseTo(value ? 1 : 0, 3);
        }
      }
      const options = { probes: ["position", "copying", "retrieval"] as const, contexts: [16, 32] };
      const wanted = await probe(judge, corpus.data.test as Shard, { ...options, prefix: tokenizer.endOfText });
      expect(probes.map(({ context }) => context)).toEqual([16, 32]);
      for (const [i, { position = [], copying, retrieval = [] }] of wanted.entries()) {
        for (const [j, { loss }] of position.entries()) {
          expect(probes[i]?.position?.[j]?.loss.value).toBeCloseTo(loss.value, 4);
        }
        expect(probes[i]?.copying?.repeated.value).toBeCloseTo(copying?.repeated.value as number, 4);
        expect(probes[i]?.retrieval?.map(({ loss }) => loss.value.toFixed(2))).toEqual(
          retrieval.map(({ loss }) => loss.value.toFixed(2)),
        );
      }
    }
  });

  it("are stored, and read back; the run is not done again", async () => {
    const stored = await readResults(resultsPath(directory));
    expect(stored.map(({ tasks, probes }) => ({ tasks, probes }))).toEqual(
      results.map(({ tasks, probes }) => JSON.parse(JSON.stringify({ tasks, probes }))),
    );
    expect((await run(directory)).trained).toBe(0);
  });

  it("make another run of what a plan without them, or with other items, asks", async () => {
    const { tasks: _, probes: __, ...plain } = input;
    const keys = new Set(results.map(({ key }) => key));
    for (const other of [plain, { ...input, tasks: { ...input.tasks, names: ["copa"] } }] as StudyPlanInput[]) {
      const { results: found } = await run(
        join(scratch, `other${keys.size}`),
        studyPlan({ ...other, models: ["H8-MQA"] }),
      );
      expect(keys.has(found[0]?.key as string)).toBe(false);
      expect(found[0]?.validation).toEqual(results[0]?.validation); // what it trained is the same
      keys.add(found[0]?.key as string);
      if (other === plain) expect([found[0]?.tasks, found[0]?.probes]).toEqual([undefined, undefined]);
    }
  });

  it("are shown in the terminal, the summary and the report", async () => {
    const summary = summarize(results);
    const shown = evaluationsText(summary);
    for (const word of [
      "blimp acc",
      "lambada perplexity",
      "piqa acc_norm",
      "H8-MQA-CLA2",
      "loss on pairs seen before",
    ]) {
      expect(shown).toContain(word);
      expect(evaluationsMarkdown(summary)).toContain(word);
    }
    const out = join(scratch, "out");
    await writeOutputs(out, results, { plan: studyPlan(input), command: "x", duration: 1 });
    expect(readFileSync(join(out, "summary.md"), "utf8")).toContain("| blimp acc |");
    const page = readFileSync(join(out, "report.html"), "utf8");
    for (const word of ["<h2>Tasks</h2>", "wikitext word_perplexity", "What models make of their context"]) {
      expect(page).toContain(word);
    }
    expect(evaluationsText(summarize(results.map(({ tasks: _, probes: __, ...rest }) => rest)))).toBe("");
  });

  it("that cannot be had are told before anything is trained", async () => {
    const place = join(scratch, "none");
    const missing = run(place, studyPlan({ ...input, tasks: { names: ["boolq"], directory: scratch } }));
    await expect(missing).rejects.toThrow(/has no boolq.jsonl/);
    await expect(missing).rejects.toBeInstanceOf(InputError);
    expect(() => readdirSync(place)).toThrow(/ENOENT/);
    expect(() => studyPlan({ ...input, probes: { names: ["luck" as never] } })).toThrow(/probes/);
  });
});

describe("estimates", () => {
  const score = (value: number, digest = "x") => ({
    tasks: { t: { items: 9, metrics: { acc: { value, standardError: 0.2 } }, cut: 0, pieces: 0, digest } },
  });

  it("are means over seeds; of one run its items' own error", () => {
    expect(taskEstimates([score(0.5)])).toEqual([{ metric: "t acc", score: { mean: 0.5, standardError: 0.2, n: 1 } }]);
    const [both] = taskEstimates([score(0.4), score(0.6)]);
    expect(both?.score.mean).toBeCloseTo(0.5, 12);
    expect(both?.score.standardError).toBeCloseTo(0.1, 12);
    expect(taskEstimates([score(0.4), {}])).toEqual([]);
  });

  it("of different items are refused", () => {
    const runs = [
      { name: "a", ...score(1) },
      { name: "b", ...score(1, "y") },
    ];
    expect(() => checkSameItems(runs)).toThrow(/a and b were scored on different items of t/);
  });
});
