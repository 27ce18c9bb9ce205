// Seeded randomness: the same everywhere, streams apart, numbers spread as promised.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Random } from "../../src/tensor/random.ts";

const take = <T>(count: number, draw: () => T): T[] => Array.from({ length: count }, draw);

test("xoshiro128** from its reference state", () => {
  // The first outputs of the authors' C code (prng.di.unimi.it) for s = {1, 2, 3, 4}.
  const random = new Random(Uint32Array.of(1, 2, 3, 4));
  expect(take(6, () => random.uint32())).toEqual([11520, 0, 5927040, 70819200, 2031721883, 1637235492]);
});

test("a seed gives the same numbers for ever", () => {
  const random = new Random(42);
  expect(take(4, () => random.uint32())).toMatchInlineSnapshot(`
    [
      660444221,
      3652823732,
      77672526,
      910233633,
    ]
  `);
});

test("an array is filled with what numbers one by one are, to the bit", () => {
  const [one, other] = [new Random(9), new Random(9)];
  for (const length of [1, 1000, 0, 7]) {
    const data = new Float32Array(length);
    one.fillNormal(data, 0.02);
    expect(data).toEqual(Float32Array.from({ length }, () => 0.02 * other.normal()));
    expect(one.state).toEqual(other.state);
  }
});

describe("streams", () => {
  test("that are split off do not depend on what was drawn from others", () => {
    const [a, b] = [new Random(1), new Random(1)];
    const early = a.split("x");
    take(10, () => a.split("y").uint32());
    expect(early.uint32()).toBe(b.split("x").uint32());
    expect(a.uint32()).toBe(b.uint32());
  });

  test("of different names, seeds and depths are different", () => {
    const names = take(300, () => "").map((_, i) => `layers.${i}.attn.k`);
    const firsts = [0, 1, 2].flatMap((seed) => names.map((name) => new Random(seed).split(name).uint32()));
    firsts.push(...names.map((name) => new Random(0).split("deep").split(name).uint32()));
    expect(new Set(firsts).size).toBe(firsts.length);
  });

  test("continue from their state", () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(50), (seed, drawn) => {
        const random = new Random(seed);
        take(drawn, () => random.uint32());
        const copy = new Random(random.state);
        expect(take(5, () => copy.uint32())).toEqual(take(5, () => random.uint32()));
      }),
      { seed: 1 },
    );
  });
});

describe("spread", () => {
  const random = new Random(7);
  const count = 20_000;
  const mean = (values: number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;

  test("uniform numbers lie in [0, 1) evenly", () => {
    const values = take(count, () => random.uniform());
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThan(1);
    const tenths = take(10, () => 0);
    for (const v of values) tenths[Math.floor(v * 10)]! += 1;
    for (const tenth of tenths) expect(Math.abs(tenth - count / 10)).toBeLessThan(5 * Math.sqrt(count / 10));
  });

  test("normal numbers have mean 0, variance 1 and the right tails", () => {
    const values = take(count, () => random.normal());
    expect(Math.abs(mean(values))).toBeLessThan(5 / Math.sqrt(count));
    expect(Math.abs(mean(values.map((v) => v * v)) - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
    const beyond = values.filter((v) => Math.abs(v) > 2).length / count;
    expect(Math.abs(beyond - 0.0455)).toBeLessThan(0.008);
    expect(values.every(Number.isFinite)).toBe(true);
  });

  test("whole numbers stay below their bound and reach all of it", () => {
    const seen = new Set(take(1000, () => random.below(7)));
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });
});

test("permutations hold every index once, and come in every order", () => {
  fc.assert(
    fc.property(fc.integer(), fc.nat(200), (seed, length) => {
      const order = [...new Random(seed).permutation(length)];
      expect(order.sort((a, b) => a - b)).toEqual(take(length, () => 0).map((_, i) => i));
    }),
    { seed: 1 },
  );
  const random = new Random(3);
  const orders = take(600, () => random.permutation(3).join(""));
  const counts = new Map([...new Set(orders)].map((order) => [order, orders.filter((o) => o === order).length]));
  expect(counts.size).toBe(6);
  for (const count of counts.values()) expect(Math.abs(count - 100)).toBeLessThan(50);
});
