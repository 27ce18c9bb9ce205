// What a plan's next runs are, from those that are done.

import { describe, expect, it } from "vitest";
import type { Result } from "../../../src/study/numbers/result.ts";
import { due, finished, type TrialSpec } from "../../../src/study/trials/due.ts";
import { type StudyPlanInput, studyPlan } from "../../../src/study/trials/plan.ts";

const input: StudyPlanInput = {
  name: "x",
  data: { source: "sotu", vocab: 512 },
  family: { layers: 4, width: 16, mlpWidth: 32 },
  context: 16,
  models: ["H8-MQA", "H8-MQA-CLA2"],
  seeds: [1, 2],
  learningRates: [0.01, 0.02, 0.04],
  recipe: { steps: 6 },
};

/** Runs a plan to its end; `loss` is a run's validation loss. The specs in the order in which they were run. */
function runAll(plan: ReturnType<typeof studyPlan>, loss: (spec: TrialSpec) => number): TrialSpec[] {
  const results = new Map<string, Result>();
  const order: TrialSpec[] = [];
  const done = (spec: TrialSpec) => results.get(JSON.stringify(spec));
  for (;;) {
    const [next] = due(plan, done);
    if (!next) break;
    order.push(next);
    const validation = { loss: loss(next), perplexity: 1, bitsPerByte: 1, wordPerplexity: 1 };
    results.set(JSON.stringify(next), { ...next, validation } as unknown as Result);
    if (order.length > 200) throw new Error("does not end");
  }
  expect(finished(plan, done)).toHaveLength(order.length);
  return order;
}

/** A loss that is best at `best`, by the distance in factors of two. */
const bowl = (best: number) => (spec: TrialSpec) => Math.abs(Math.log2(spec.learningRate / best));

describe("a list of rates", () => {
  it("is run whole, seed by seed, so that a stop leaves models with the same seeds", () => {
    const order = runAll(studyPlan(input), () => 1);
    expect(order).toHaveLength(12);
    expect(order.map(({ seed }) => seed)).toEqual([1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
    expect(order.slice(0, 2).map(({ name }) => name)).toEqual(["H8-MQA", "H8-MQA-CLA2"]);
  });
});

describe("rates chosen by seeds of their own", () => {
  const plan = studyPlan({ ...input, tuningSeeds: [101, 102] });

  it("reports other seeds, at the best rate of each model", () => {
    const order = runAll(plan, (spec) => bowl(0.02)(spec));
    expect(order.filter(({ seed }) => seed > 100)).toHaveLength(12);
    const reported = order.filter(({ seed }) => seed < 100);
    expect(reported.map(({ name, seed }) => `${name} ${seed}`)).toEqual([
      "H8-MQA 1",
      "H8-MQA-CLA2 1",
      "H8-MQA 2",
      "H8-MQA-CLA2 2",
    ]);
    expect(new Set(reported.map(({ learningRate }) => learningRate))).toEqual(new Set([0.02]));
  });

  it.each([
    [0.16, [0.01, 0.02, 0.04, 0.08, 0.16, 0.32]],
    [0.005, [0.0025, 0.005, 0.01, 0.02, 0.04]],
    [1000, [0.01, 0.02, 0.04, 0.08, 0.16, 0.32]],
  ])("looks outward while the best, %f, is at an edge, but not without end", (best, rates) => {
    const tried = runAll(plan, bowl(best)).filter(({ name, seed }) => name === "H8-MQA" && seed === 101);
    expect(tried.map(({ learningRate }) => learningRate).sort((a, b) => a - b)).toEqual(rates);
  });

  it("takes no rate at which a run diverged", () => {
    const order = runAll(plan, (spec) =>
      spec.learningRate > 0.01 && spec.seed === 102 ? Number.NaN : bowl(0.04)(spec),
    );
    const reported = order.filter(({ seed }) => seed < 100);
    expect(new Set(reported.map(({ learningRate }) => learningRate))).toEqual(new Set([0.01]));
  });

  it("reports at the lowest point of the parabola through the best rate and its neighbours", () => {
    const squared = (spec: TrialSpec) => bowl(0.025)(spec) ** 2;
    const order = runAll(plan, squared);
    expect(new Set(order.filter(({ seed }) => seed < 100).map(({ learningRate }) => learningRate))).toEqual(
      new Set([0.025]),
    );
    expect(order.filter(({ purpose }) => purpose === "tuning").every(({ seed }) => seed > 100)).toBe(true);
    expect(order.filter(({ purpose }) => purpose === undefined).every(({ seed }) => seed < 100)).toBe(true);
  });

  it("climbs on them as well, and reports none of them", () => {
    const climbing = studyPlan({
      ...input,
      tuningSeeds: [101, 102],
      learningRates: { start: 0.01, factor: 2, most: 6 },
    });
    const order = runAll(climbing, (spec) => bowl(0.025)(spec) ** 2).filter(({ name }) => name === "H8-MQA");
    expect(order.map(({ learningRate, seed }) => [learningRate, seed])).toEqual([
      [0.01, 101],
      [0.01, 102],
      [0.02, 101],
      [0.02, 102],
      [0.04, 101],
      [0.04, 102],
      [0.025, 1],
      [0.025, 2],
    ]);
  });

  it("refuses seeds that are both", () => {
    expect(() => studyPlan({ ...input, tuningSeeds: [2, 3] })).toThrow(/seed 2 .* both/);
  });
});

describe("a climb", () => {
  const climb = (start: number) => studyPlan({ ...input, learningRates: { start, factor: 2, most: 6 } });

  it("goes up until it stops improving, and takes the others' seeds there", () => {
    const order = runAll(climb(0.01), bowl(0.04)).filter(({ name }) => name === "H8-MQA");
    expect(order.map(({ learningRate, seed }) => [learningRate, seed])).toEqual([
      [0.01, 1],
      [0.02, 1],
      [0.04, 1],
      [0.08, 1],
      [0.04, 2],
    ]);
  });

  it("steps down from a start that diverges, and never keeps it", () => {
    const order = runAll(climb(0.08), (spec) => (spec.learningRate > 0.03 ? Number.NaN : 1));
    const mine = order.filter(({ name }) => name === "H8-MQA");
    expect(mine.map(({ learningRate, seed }) => [learningRate, seed])).toEqual([
      [0.08, 1],
      [0.04, 1],
      [0.02, 1],
      [0.01, 1],
      [0.02, 2],
    ]);
  });

  it("steps down from a start that lies too high", () => {
    const order = runAll(climb(0.08), bowl(0.02)).filter(({ name }) => name === "H8-MQA");
    expect(order.map(({ learningRate, seed }) => [learningRate, seed])).toEqual([
      [0.08, 1],
      [0.16, 1],
      [0.04, 1],
      [0.02, 1],
      [0.01, 1],
      [0.02, 2],
    ]);
  });

  it("tries no more rates than its cap", () => {
    const tried = runAll(climb(0.01), (spec) => -spec.learningRate).filter(
      ({ name, seed }) => name === "H8-MQA" && seed === 1,
    );
    expect(tried).toHaveLength(6);
  });

  it("says so where every rate diverges", () => {
    expect(() => runAll(climb(0.01), () => Number.NaN)).toThrow(/H8-MQA diverges at all learning rates down from 0.01/);
  });
});
