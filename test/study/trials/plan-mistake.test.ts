// A wrong plan is told by its key, with the nearest right one and those that there are.

import { expect, test } from "vitest";
import { InputError } from "../../../src/error.ts";
import { type StudyPlanInput, studyPlan } from "../../../src/study/trials/plan.ts";
import { presets } from "../../../src/study/trials/presets.ts";

const right = {
  name: "tiny",
  data: { source: "sotu", vocab: 300 },
  family: { layers: 2, width: 64, mlpWidth: 128 },
  context: 64,
  models: ["H64-MQA"],
  seeds: [1],
  learningRates: [1e-3],
  recipe: { steps: 10 },
};

test("right ones are taken", () => {
  expect(studyPlan(right).name).toBe("tiny");
  for (const preset of Object.values(presets)) studyPlan(preset);
});

test.each<[string, object, RegExp]>([
  ["a key", { modles: [] }, /plan: modles: is no key of a plan; did you mean models\? here it has name, title, data, /],
  [
    "a key of the data",
    { data: { sorce: "sotu", vocab: 300 } },
    /data\.sorce: .*did you mean source\? here it has source, field, vocab/,
  ],
  ["a key of a depth", { family: { dept: 3 } }, /family\.dept: .*did you mean depth\? here it has depth$/],
  [
    "a key of sizes",
    { family: { layers: 2, widht: 64, mlpWidth: 1 } },
    /family\.widht: .*did you mean width\? here it has layers, width/,
  ],
  ["a key of the rates", { learningRates: { start: 1, facter: 2 } }, /learningRates\.facter: .*did you mean factor\?/],
  [
    "a key of the recipe",
    { recipe: { steps: 1, warmpu: 0.1 } },
    /recipe\.warmpu: .*did you mean warmup\? here it has steps, batch/,
  ],
  ["a rate in the recipe", { recipe: { steps: 1, learningRate: 0.1 } }, /recipe\.learningRate: is no key of a plan/],
  ["a value of the recipe", { recipe: { steps: 1, warmup: 3 } }, /warmup: .*<=1/],
  ["what is missing", { context: undefined }, /plan: context: is missing/],
  ["another type", { seeds: "1" }, /plan: seeds: .*expected array/],
  ["a model's name", { models: ["h64-mqa"] }, /did you mean H64-MQA\?/],
  ["sizes beyond any", { family: { layers: 1e9, width: 64, mlpWidth: 128 } }, /layers/],
])("%s that is wrong is named", (_, change, message) => {
  const plan = () => studyPlan({ ...right, ...change } as StudyPlanInput);
  expect(plan).toThrow(InputError);
  expect(plan).toThrow(message);
});

test("what is no plan at all is told", () => {
  for (const value of [null, [], "demo", 3]) expect(() => studyPlan(value as never)).toThrow(InputError);
});
