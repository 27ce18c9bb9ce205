// Dividing one memory: nobody gets what is not there, nobody below the fair share wants for more.

import fc from "fast-check";
import { expect, test } from "vitest";
import { divide, equalShares, type KvDemand } from "../../src/server/kv-budget.ts";

const demand = fc.record({
  allotted: fc.integer({ min: 0, max: 500 }),
  block: fc.integer({ min: 1, max: 10 }),
  used: fc.integer({ min: 0, max: 2000 }),
  wanted: fc.integer({ min: 0, max: 2000 }),
  claim: fc.constant(0),
});
const total = 1000;
const idle: KvDemand = { allotted: 500, block: 10, used: 0, wanted: 0, claim: 0 };

test("the sum never exceeds the memory, everyone has a block, and at least the lesser of its wish and an equal share", () => {
  fc.assert(
    fc.property(fc.array(demand, { minLength: 1, maxLength: 6 }), (demands) => {
      const shares = divide(total, demands);
      if (!shares) return;
      expect(shares.reduce((sum, share) => sum + share, 0)).toBeLessThanOrEqual(total);
      for (const [i, { block, used, wanted }] of demands.entries()) {
        expect(shares[i]).toBeGreaterThanOrEqual(block);
        const floors = 10 * demands.length; // a floor of another can take this much from an equal share
        expect(shares[i]).toBeGreaterThanOrEqual(Math.min(used + wanted, total / demands.length - floors) - 1);
      }
    }),
  );
});

test("nothing changes while everyone has what it wants", () => {
  expect(divide(total, [idle, { ...idle, used: 500 }])).toBeUndefined();
  expect(divide(total, [idle, { ...idle, used: 500, wanted: 5 }])).toBeUndefined(); // less than a block
});

test("memory goes where sequences wait for it, and comes back", () => {
  expect(divide(total, [idle, { ...idle, used: 500, wanted: 2000 }])).toEqual([10, 990]);
  const both = { ...idle, used: 300, wanted: 3000 };
  expect(
    divide(total, [
      { ...both, allotted: 10 },
      { ...both, allotted: 990 },
    ]),
  ).toEqual([500, 500]);
});

test("a sequence that has waited too long gets what it needs, more than its share", () => {
  const busy = { ...idle, used: 500, wanted: 3000 };
  expect(divide(total, [busy, { ...busy, claim: 900 }])).toEqual([100, 900]);
  expect(divide(total, [busy, { ...busy, claim: 5000 }])).toEqual([10, 990]); // a block stays for the other
});

test("equal shares leave everyone a block, however small the memory", () => {
  expect(equalShares(1000, [10, 10])).toEqual([500, 500]);
  expect(equalShares(1000, [600, 200, 200])).toEqual([600, 200, 200]);
  expect(equalShares(1000, [600, 100, 100])).toEqual([600, 200, 200]);
});
