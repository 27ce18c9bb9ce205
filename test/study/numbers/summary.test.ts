import { expect, test } from "vitest";
import { InputError } from "../../../src/error.ts";
import { learningRateSweep, summarize } from "../../../src/study/numbers/summary.ts";
import { madeResult, madeStudy } from "./made-results.ts";

const run = madeResult;

test("rows are by bytes descending, each at its model's own best learning rate", () => {
  const rows = summarize([
    run({ name: "H64-MQA-CLA2", loss: 4.2, learningRate: 2e-3 }),
    run({ name: "H64-MQA-CLA2", loss: 4.4, learningRate: 1e-3 }),
    run({ name: "H64-MQA", loss: 4.1, seed: 2, learningRate: 1e-3, sample: "b" }),
    run({ name: "H64-MQA", loss: 4.0, seed: 1, learningRate: 1e-3, sample: "a" }),
    run({ name: "H64-MQA", loss: 4.5, learningRate: 2e-3, sample: "c" }),
    run({ name: "H32-MQA", loss: 4.3 }),
  ]);
  expect(
    rows.map(({ name, kvBytesPerToken, learningRate, seeds, onFront }) => [
      name,
      kvBytesPerToken,
      learningRate,
      seeds,
      onFront,
    ]),
  ).toEqual([
    ["H64-MQA", 4096, 1e-3, [1, 2], true],
    ["H64-MQA-CLA2", 2048, 2e-3, [1], true],
    ["H32-MQA", 2048, 1e-3, [1], false],
  ]);
  const [first] = rows;
  expect(first?.loss.mean).toBeCloseTo(4.05, 12);
  expect(first?.perplexity.mean).toBeCloseTo((Math.exp(4.1) + Math.exp(4.0)) / 2, 9);
  expect(first?.perplexity.standardError).toBeCloseTo((Math.exp(4.1) - Math.exp(4.0)) / 2, 9);
  expect(first?.sample).toBe("a");
  expect(first?.learningRates).toEqual([1e-3, 2e-3]);
});

test("a model that diverged everywhere is last among its bytes and on no front", () => {
  const rows = summarize([run({ name: "H64-MQA-CLA2", loss: Number.NaN }), run({ name: "H32-MQA", loss: 9 })]);
  expect(rows.map(({ name, onFront }) => [name, onFront])).toEqual([
    ["H32-MQA", true],
    ["H64-MQA-CLA2", false],
  ]);
});

test("the same run twice counts once", () => {
  const study = madeStudy({ "H64-MQA": 4.3, "H32-MQA": 4.4 });
  expect(summarize([...study, ...study])).toEqual(summarize(study));
});

test("what cannot be compared is refused", () => {
  const one = run({ name: "H64-MQA", loss: 4 });
  const other = run({ name: "H32-MQA", loss: 4 });
  const refused = [
    [{ ...other, tokens: 1 }, /409600 tokens and H32-MQA on 1/],
    [{ ...other, dataset: { ...other.dataset, vocab: 9 } }, /differ in data/],
    [{ ...one, key: "b", seed: 2, model: other.model }, /two different models are named H64-MQA/],
    [{ ...one, key: "b" }, /is there twice \(H64-MQA\/1\/0.001, b\)/],
  ] as const;
  for (const [result, message] of refused) {
    expect(() => summarize([one, result])).toThrow(InputError);
    expect(() => summarize([one, result])).toThrow(message);
  }
});

test("a sweep is a model's mean loss at every rate, ascending", () => {
  const sweep = learningRateSweep([
    run({ name: "H64-MQA", loss: 4.5, learningRate: 2e-3 }),
    run({ name: "H64-MQA", loss: 4.1, learningRate: 1e-3 }),
    run({ name: "H64-MQA", loss: 4.3, learningRate: 1e-3, seed: 2 }),
  ]);
  expect(sweep.map(({ rate, loss }) => [rate, loss.n])).toEqual([
    [1e-3, 2],
    [2e-3, 1],
  ]);
  expect(sweep[0]?.loss.mean).toBeCloseTo(4.2, 12);
});

test("no results, no rows", () => expect(summarize([])).toEqual([]));
