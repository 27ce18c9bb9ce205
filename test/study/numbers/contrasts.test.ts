import { describe, expect, it } from "vitest";
import { contrasts, holm, pooledResidual } from "../../../src/study/numbers/contrasts.ts";
import { summarize } from "../../../src/study/numbers/summary.ts";
import { Random } from "../../../src/tensor/random.ts";
import { madeResult } from "./made-results.ts";

// Losses with two runs missing; what NumPy's least squares and SciPy's t distribution say of them stands below.
const losses: Record<string, Record<number, number>> = {
  "H64-MQA": { 1: 3.52, 2: 3.5, 3: 3.535, 4: 3.51 },
  "H64-MQA-CLA2": { 1: 3.561, 2: 3.546, 3: 3.558, 4: 3.57 },
  "H32-MQA": { 1: 3.55, 2: 3.56, 4: 3.549, 5: 3.556 },
};
const results = Object.entries(losses).flatMap(([name, bySeed]) =>
  Object.entries(bySeed).map(([seed, loss]) => madeResult({ name, loss, seed: Number(seed) })),
);
const summary = summarize(results);

describe("contrasts", () => {
  it("pools the residuals of models and seeds, runs missing, as least squares does", () => {
    const { variance, degrees } = pooledResidual(results.map((run) => ({ ...run, loss: run.validation.loss })));
    expect(degrees).toBe(5);
    expect(variance).toBeCloseTo(0.00013856666666667007, 12);
  });

  it("gives difference, interval, p and what could have been found", () => {
    const [one, other] = contrasts(
      [
        { model: "H64-MQA-CLA2", against: "H64-MQA", margin: 0.06 },
        { model: "H64-MQA-CLA2", against: "H32-MQA" },
      ],
      summary,
    );
    expect(one?.seeds).toEqual([1, 2, 3, 4]);
    expect(one?.difference).toBeCloseTo(0.0425, 10);
    expect(one?.standardError).toBeCloseTo(0.008323661053486923, 10);
    expect(one?.interval[0]).toBeCloseTo(0.021103348089912956, 7);
    expect(one?.interval[1]).toBeCloseTo(0.06389665191008678, 7);
    expect(one?.p).toBeCloseTo(0.003751353567296292, 7);
    expect(one?.adjustedP).toBeCloseTo(2 * 0.003751353567296292, 7);
    expect(one?.detectable).toBeCloseTo(0.029050622660653624, 7);
    expect(one?.noWorse).toBe(true); // the one-sided bound is 0.0593
    expect(one?.told).toBe(true);
    expect(other?.seeds).toEqual([1, 2, 4]);
    expect(other?.told).toBe(false);
    expect(other?.sentence).toMatch(/^H64-MQA-CLA2 and H32-MQA are not told apart .* would have been found/);
  });

  it("says where a margin is not shown", () => {
    const [one] = contrasts([{ model: "H64-MQA-CLA2", against: "H64-MQA", margin: 0.059 }], summary);
    expect(one?.noWorse).toBe(false);
    expect(one?.sentence).toContain("is not shown");
  });

  it("leaves out models that are not there, share no seed, or diverged", () => {
    const apart = summarize([
      madeResult({ name: "H64-MQA", loss: 3, seed: 1 }),
      madeResult({ name: "H64-MQA", loss: 3.1, seed: 2 }),
      madeResult({ name: "H32-MQA", loss: 3, seed: 3 }),
      madeResult({ name: "H64-MQA-CLA2", loss: Number.NaN, seed: 1 }),
    ]);
    const asked = ["H32-MQA", "H64-MQA-CLA2", "H16-MQA"].map((model) => ({ model, against: "H64-MQA" }));
    expect(contrasts(asked, apart)).toEqual([]);
  });
});

describe("over many made studies", () => {
  const planned = [
    { model: "H64-MQA-CLA2", against: "H64-MQA" },
    { model: "H64-MQA-CLA2", against: "H32-MQA" },
    { model: "H32-MQA", against: "H64-MQA" },
  ];
  const template = ["H64-MQA", "H64-MQA-CLA2", "H32-MQA"].flatMap((name) =>
    [1, 2, 3, 4].map((seed) => madeResult({ name, loss: 3, seed })),
  );
  const random = new Random(11);
  const study = (sharing: number) => {
    const seeds = [1, 2, 3, 4].map(() => 0.02 * random.normal());
    const runs = template.map((run) => {
      const loss = 3 + (seeds[run.seed - 1] as number) + 0.01 * random.normal();
      const own = run.name === "H64-MQA-CLA2" ? sharing : 0;
      return { ...run, validation: { ...run.validation, loss: loss + own } };
    });
    return contrasts(planned, summarize(runs));
  };

  it("tells apart equals in at most one study of twenty, all comparisons together", () => {
    const false_ = Array.from({ length: 600 }, () => study(0)).filter((found) => found.some(({ told }) => told));
    expect(false_.length / 600).toBeLessThan(0.075); // 5% and 2.8 standard errors
  });

  it("finds what it calls detectable about four times in five, and 95% intervals hold the truth", () => {
    const [first] = study(0);
    const reach = ((first?.detectable as number) / (first?.standardError as number)) * 0.01 * Math.SQRT1_2;
    const found = Array.from({ length: 600 }, () => study(reach)[0]);
    const seen = found.filter((one) => (one?.p as number) < 0.05).length / 600;
    const held = found.filter(
      ({ interval: [low, high] } = { interval: [0, 0] } as never) => low < reach && reach < high,
    );
    expect(seen).toBeGreaterThan(0.74);
    expect(seen).toBeLessThan(0.86);
    expect(held.length / 600).toBeGreaterThan(0.925);
  });
});

it("Holm's procedure raises p values by rank and keeps their order", () => {
  expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02]);
  expect(holm([0.5, 0.9])).toEqual([1, 1]);
  expect(holm([])).toEqual([]);
});
