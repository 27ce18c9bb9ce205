import fc from "fast-check";
import { expect, test } from "vitest";
import {
  bestLearningRate,
  pairedDifference,
  separates,
  separatingErrors,
} from "../../../src/study/numbers/statistics.ts";
import { estimate, mean, standardError } from "../../../src/tensor/estimate.ts";
import { madeResult } from "./made-results.ts";

const run = (seed: number, loss: number, learningRate = 1e-3) =>
  madeResult({ name: "H64-MQA", seed, loss, learningRate });

test("mean and standard error by hand", () => {
  expect(mean([1, 2, 6])).toBe(3);
  expect(standardError([1, 2, 6])).toBeCloseTo(Math.sqrt((4 + 1 + 9) / 2 / 3), 12);
  expect(standardError([4])).toBeUndefined();
  expect(mean([])).toBeNaN();
});

test("differences are paired by seed, whatever the order, over the seeds both have", () => {
  const a = [run(3, 4.5), run(1, 4.1), run(9, 7)];
  const b = [run(1, 4.0), run(2, 1), run(3, 4.2)];
  const found = pairedDifference(a, b);
  expect(found.n).toBe(2);
  expect(found.mean).toBeCloseTo(0.2, 12);
  expect(found.standardError).toBeCloseTo(0.1, 12);
  expect(pairedDifference(a, [run(5, 4)])).toEqual({ mean: Number.NaN, standardError: undefined, n: 0 });
  expect(() => pairedDifference([run(1, 4), run(1, 5)], b)).toThrow("seed 1 twice");
});

test("pairing removes what seeds share", () => {
  const noise = [0.5, -0.3, 0.9];
  const found = pairedDifference(
    noise.map((shift, seed) => run(seed, 4 + shift + 0.01 + seed * 1e-4)),
    noise.map((shift, seed) => run(seed, 4 + shift)),
  );
  expect(found.mean).toBeCloseTo(0.0101, 10);
  expect(found.standardError).toBeLessThan(1e-4);
});

test("one run, or a difference within two standard errors, is never told from zero", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { maxLength: 40 }), (values) => {
      const found = estimate(values);
      if (!separates(found)) return;
      expect(found.n).toBeGreaterThan(1);
      expect(Math.abs(found.mean)).toBeGreaterThan(2 * (found.standardError as number));
    }),
  );
  expect(separates({ mean: 1, standardError: undefined, n: 1 })).toBe(false);
  expect(separates({ mean: 0.4, standardError: 0.1, n: 3 })).toBe(false); // 4.0 < 4.3
  expect(separates({ mean: -0.5, standardError: 0.1, n: 3 })).toBe(true);
  expect(separates({ mean: 0.1, standardError: 0, n: 3 })).toBe(false);
  expect(separates(estimate([Number.NaN, 1]))).toBe(false);
});

test("the bar falls with the number of runs, to two standard errors and no lower", () => {
  const bars = Array.from({ length: 100 }, (_, i) => separatingErrors(i));
  for (let n = 1; n < bars.length; n++) expect(bars[n]).toBeLessThanOrEqual(bars[n - 1] as number);
  expect(bars[1]).toBe(Number.POSITIVE_INFINITY);
  expect(bars[2]).toBeCloseTo(12.706, 3);
  expect(bars[11]).toBeCloseTo(2.228, 3);
  expect(bars[99]).toBe(2);
});

test("the best learning rate has the lowest mean loss", () => {
  expect(bestLearningRate([run(1, 4.4, 1e-3), run(1, 4.2, 2e-3), run(2, 4.4, 1e-3), run(2, 4.3, 2e-3)])).toBe(2e-3);
  expect(bestLearningRate([run(1, 4, 3e-3), run(1, 4, 1e-3)])).toBe(1e-3);
  expect(() => bestLearningRate([])).toThrow("no results");
});

test("a rate with one lucky seed does not win over one that more seeds were run at", () => {
  const climb = [run(1, 4.3, 1e-3), run(1, 4.2, 2e-3), run(1, 4.25, 4e-3)];
  expect(bestLearningRate([...climb, run(2, 4.5, 2e-3), run(3, 4.6, 2e-3)])).toBe(2e-3);
});

test("a rate at which a run diverged is chosen only if there is no other", () => {
  expect(bestLearningRate([run(1, 4.1, 4e-3), run(2, Number.NaN, 4e-3), run(1, 4.9, 1e-3)])).toBe(1e-3);
  expect(bestLearningRate([run(1, Number.NaN, 4e-3)])).toBe(4e-3);
});
