import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { kvBytesPerToken } from "../../../src/model/cost.ts";
import { readQuestion } from "../../../src/study/numbers/question.ts";
import type { Result } from "../../../src/study/numbers/result.ts";
import { writeOutputs } from "../../../src/study/report/outputs.ts";
import { loadPlan, type StudyPlanInput, studyPlan } from "../../../src/study/trials/plan.ts";
import { presets } from "../../../src/study/trials/presets.ts";
import { resultsPath, sweep } from "../../../src/study/trials/sweep.ts";

const scratch = mkdtempSync(join(tmpdir(), "crosslayer-sweep-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const words = "the state of our union is strong and we the people shall keep it so for all who come after us".split(
  " ",
);
const lines = Array.from({ length: 60 }, (_, i) =>
  JSON.stringify({
    text: Array.from({ length: 40 }, (_, j) => words[(i * 7 + j * (1 + (i % 5))) % words.length]).join(" "),
  }),
);
const source = join(scratch, "text.jsonl");
writeFileSync(source, lines.join("\n"));

const input: StudyPlanInput = {
  name: "tiny",
  data: { source, vocab: 270, validationFraction: 0.1 },
  family: { layers: 4, width: 16, mlpWidth: 32 },
  context: 16,
  models: ["H8-MQA", "H8-MQA-CLA2"],
  seeds: [1, 2],
  learningRates: [0.01],
  recipe: { steps: 6, batch: 2, checkpointEvery: 2, validateEvery: 3 },
};

async function run(directory: string, plan = studyPlan(input), stopAfter = Number.POSITIVE_INFINITY) {
  const controller = new AbortController();
  let [steps, trained] = [0, 0];
  const events = sweep(plan, { directory, threads: 1, signal: controller.signal });
  for (;;) {
    const next = await events.next();
    if (next.done) return { results: next.value, steps, trained };
    if (next.value.kind === "step" && ++steps >= stopAfter) controller.abort();
    if (next.value.kind === "result" && !next.value.skipped) trained++;
  }
}

const comparable = (results: readonly Result[] | undefined) =>
  results?.map(({ seconds: _, tokensPerSecond: __, ...rest }) => rest);

describe("sweep", () => {
  it("refuses results and runs of other text with as many tokens", async () => {
    const text = join(scratch, "changing.jsonl");
    const directory = join(scratch, "changing");
    const plan = studyPlan({ ...input, data: { ...input.data, source: text }, models: ["H8-MQA"] });
    writeFileSync(text, lines.join("\n"));
    expect((await run(directory, plan, 8)).results).toBeUndefined(); // one run is done, one is begun
    writeFileSync(text, [...lines.slice(1), lines[0]].join("\n"));
    await expect(run(directory, plan)).rejects.toThrow(/results\.jsonl: has results of other text/);
    rmSync(resultsPath(directory));
    await expect(run(directory, plan)).rejects.toThrow(/changing\.jsonl: is not the text that the run was begun with/);
  });

  it("keeps its title and what it planned to compare, from the start on", async () => {
    const directory = join(scratch, "asking");
    expect(await readQuestion(directory)).toBeUndefined();
    const contrasts = [{ model: "H8-MQA-CLA2", against: "H8-MQA" }];
    const { results } = await run(directory, studyPlan({ ...input, title: "Half of it?", contrasts }), 1);
    expect(results).toBeUndefined();
    expect(await readQuestion(directory)).toEqual({ title: "Half of it?", contrasts });
    writeFileSync(join(directory, "question.json"), '{"title": 7}');
    expect(await readQuestion(directory)).toBeUndefined();
  });

  it("stopped anywhere and started again is the sweep that never stopped, and runs nothing twice", async () => {
    const whole = await run(join(scratch, "whole"));
    expect(whole.results).toHaveLength(4);
    const directory = join(scratch, "parts");
    let [steps, tries] = [0, 0];
    for (; tries < 10; tries++) {
      const part = await run(directory, studyPlan(input), 5);
      steps += part.steps;
      if (!part.results) continue;
      expect(comparable(part.results)).toEqual(comparable(whole.results));
      break;
    }
    expect(tries).toBeGreaterThan(3);
    expect(steps).toBe(24);
    expect((await run(directory)).trained).toBe(0);
    expect(readFileSync(resultsPath(directory), "utf8").trim().split("\n")).toHaveLength(4);
  });

  it("gives every result what a reader needs, bytes read off the cache", async () => {
    const { results } = await run(join(scratch, "whole"));
    for (const result of results ?? []) {
      expect(result.kvBytesPerToken).toBe(kvBytesPerToken(result.model, "float32"));
      expect(result.validation.perplexity).toBeCloseTo(Math.exp(result.validation.loss), 6);
      expect(result.curve.at(-1)?.step).toBe(6);
      expect(result.sample).toContain("The state of the Union");
      expect(result.versions["onnxruntime-node"]).toMatch(/^\d+\.\d+/);
    }
    expect(results?.map(({ kvBytesPerToken }) => kvBytesPerToken)).toEqual([256, 256, 128, 128]);
    const paths = await writeOutputs(join(scratch, "whole"), results as Result[], {
      plan: studyPlan(input),
      command: "x",
      duration: 1,
    });
    expect(paths.map((path) => readFileSync(path, "utf8").length > 100)).toEqual(paths.map(() => true));
  });

  it("climbs the learning rate by the paper's protocol until the first seed stops improving", async () => {
    const plan = studyPlan({ ...input, models: ["H8-MQA"], learningRates: { start: 0.005, factor: 4, most: 6 } });
    const { results } = await run(join(scratch, "climb"), plan);
    const tried = (results ?? []).filter(({ seed }) => seed === 1);
    const losses = tried.map(({ validation }) => validation.loss);
    const rates = tried.map(({ learningRate }) => learningRate);
    expect(rates).toEqual([0.005, 0.02, 0.08, 0.32, 1.28, 5.12].slice(0, rates.length));
    const improving = losses.map((loss, i) => i === 0 || loss < (losses[i - 1] as number));
    if (losses.length < 6) expect(improving).toEqual([...losses.slice(1).map(() => true), false]);
    const best = rates[losses.indexOf(Math.min(...losses))];
    expect(results?.filter(({ seed }) => seed === 2).map(({ learningRate }) => learningRate)).toEqual([best]);
  });

  it("keeps a run that diverged as a result, its losses not a number", async () => {
    const plan = studyPlan({
      ...input,
      models: ["H8-MQA"],
      seeds: [1],
      learningRates: [99],
      recipe: { steps: 60, batch: 2, warmup: 0, optimizer: { clip: 1e30 } },
    });
    const { results } = await run(join(scratch, "diverged"), plan);
    expect(results).toHaveLength(1);
    const again = await run(join(scratch, "diverged"), plan);
    expect(again.trained).toBe(0);
  });
});

describe("plans", () => {
  it("of every preset are valid", async () => {
    for (const name of Object.keys(presets)) expect((await loadPlan(name)).name).toBe(name);
  });

  it("that are wrong are refused, saying what would be right", async () => {
    await expect(loadPlan("dmeo")).rejects.toThrow(/presets are demo, table1-small, lr-sweep; did you mean demo\?/);
    expect(() => studyPlan({ ...input, models: ["H8-MQA-CLA9"] })).toThrow(
      /sharing factor: must be a whole number from 1 to the 4 layers/,
    );
    expect(() => studyPlan({ ...input, seeds: [] })).toThrow(/study plan: seeds/);
    expect(() => studyPlan({ ...input, extra: 1 } as StudyPlanInput)).toThrow(/extra/);
  });
});
