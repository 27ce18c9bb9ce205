import fc from "fast-check";
import { expect, test } from "vitest";
import { conclude } from "../../../src/study/numbers/conclusions.ts";
import { madeResult, madeStudy } from "./made-results.ts";

const all = (results: Parameters<typeof conclude>[0]) => {
  const { comparisons, supports, limits } = conclude(results);
  return [...comparisons.map(({ sentence }) => sentence), ...supports, ...limits].join("\n");
};
// What a sentence says when it claims a difference.
const claim = /loss is (lower|higher)|has a lower loss/;

test("one seed claims nothing, however far apart", () => {
  const text = all(madeStudy({ "H64-MQA": 4, "H64-MQA-CLA2": 9, "H32-MQA": 14 }, { seeds: [1] }));
  expect(text).not.toMatch(claim);
  expect(text).toContain("from one seed the data do not separate");
  expect(text).toContain("one run a model");
});

test("no claim is made within two standard errors, and signs are right", () => {
  const losses = fc.array(fc.double({ min: 3, max: 3.1, noNaN: true }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(losses, losses, (larger, smaller) => {
      const results = [
        ...larger.map((loss, seed) => madeResult({ name: "H64-MQA", loss, seed })),
        ...smaller.map((loss, seed) => madeResult({ name: "H64-MQA-CLA2", loss, seed })),
      ];
      const [found] = conclude(results).comparisons;
      const differences = smaller.slice(0, larger.length).map((loss, i) => loss - (larger[i] as number));
      const n = differences.length;
      const mean = differences.reduce((a, b) => a + b, 0) / n;
      const error = Math.sqrt(differences.reduce((sum, d) => sum + (d - mean) ** 2, 0) / (n - 1) / n);
      if (n < 2 || Math.abs(mean) < 2 * error) expect(found?.sentence).not.toMatch(claim);
      if (found?.separated)
        expect(found.sentence).toContain(mean < 0 ? "CLA2's held-out loss is lower" : "CLA2's held-out loss is higher");
      expect(found?.sentence).toMatch(found?.separated ? claim : /do not separate/);
    }),
    { numRuns: 100 },
  );
});

test("a difference that seeds agree on is told, with its numbers", () => {
  const results = [1, 2, 3].flatMap((seed) => [
    madeResult({ name: "H64-MQA-CLA2", loss: 4 + seed * 0.1, seed }),
    madeResult({ name: "H32-MQA", loss: 4.05 + seed * 0.101, seed }),
  ]);
  const { comparisons, supports } = conclude(results);
  expect(comparisons.map(({ sentence }) => sentence)).toEqual([
    "H64-MQA-CLA2 and H32-MQA keep 2,048 bytes per token each; H64-MQA-CLA2's held-out loss is lower (−0.0520 ± 0.0006 nats per token, perplexity −3.58 ± 0.25; 3 seeds).",
  ]);
  expect(supports).toContain("At this scale H64-MQA-CLA2 has a lower loss than H32-MQA with as many KV bytes.");
});

test("models without a common seed, and runs that diverged, are not compared", () => {
  const apart = [madeResult({ name: "H64-MQA", loss: 4, seed: 1 }), madeResult({ name: "H32-MQA", loss: 5, seed: 2 })];
  expect(all(apart)).toContain("no seed in common");
  const diverged = [madeResult({ name: "H64-MQA", loss: 4 }), madeResult({ name: "H32-MQA", loss: Number.NaN })];
  expect(all(diverged)).toContain("runs diverged");
  expect(all([...apart, ...diverged.slice(0, 1)])).not.toMatch(claim);
});

test("limits name the study's own scale, data, seeds and learning rates", () => {
  const { limits } = conclude(madeStudy({ "H64-MQA": 4.3, "H64-MQA-CLA2": 4.3 }, { rates: [1e-3, 2e-3] }));
  const text = limits.join("\n");
  expect(text).toContain("5.31M to 5.45M parameters");
  expect(text).toContain("410K tokens a run, 0.16 passes over 2.6M tokens");
  expect(text).toContain("130K tokens of 12 documents");
  expect(text).toContain("3 runs a model");
  expect(text).toMatch(/at the edge of what was tried.*H64-MQA \(0.002\)/);
  expect(conclude(madeStudy({ "H64-MQA": 4 })).limits.join("\n")).toContain("one rate was tried per model");
});

test("pairs are every two models, equal bytes first", () => {
  const { comparisons } = conclude(madeStudy({ "H64-MHA": 4.1, "H64-MQA": 4.3, "H64-MQA-CLA2": 4.35, "H32-MQA": 4.4 }));
  expect(comparisons).toHaveLength(6);
  expect(comparisons[0]?.bytes).toEqual([2048, 2048]);
  for (const { bytes } of comparisons) expect(bytes[0]).toBeLessThanOrEqual(bytes[1]);
});

test("a pair that was planned is judged as planned, and nowhere told otherwise", () => {
  const losses = { "H64-MQA": 4.31, "H64-MQA-CLA2": 4.33, "H32-MQA": 4.4 };
  const results = madeStudy(losses, { noise: 0.0001 });
  const planned = [
    { model: "H64-MQA-CLA2", against: "H32-MQA" },
    { model: "H64-MQA", against: "H64-MQA-CLA2" },
  ];
  const { comparisons, contrasts, supports, limits } = conclude(results, planned);
  expect(contrasts).toHaveLength(2);
  expect(comparisons.map(({ smaller, larger }) => [smaller, larger])).toEqual([["H32-MQA", "H64-MQA"]]);
  expect(supports.join("\n")).not.toContain("H64-MQA-CLA2 has a lower loss");
  expect(supports[0]).toBe("The data separate 1 of 1 other pairs.");
  expect(limits.join("\n")).toContain("corrected for being several (Holm). Any other difference is claimed");
  const three = [...planned, { model: "H32-MQA", against: "H64-MQA" }];
  expect(conclude(results, three).supports.join()).not.toMatch(/separate/);
});

test("no results, no conclusions", () => {
  expect(conclude([])).toEqual({
    summary: [],
    contrasts: [],
    comparisons: [],
    supports: ["Nothing was measured."],
    limits: [],
  });
});
