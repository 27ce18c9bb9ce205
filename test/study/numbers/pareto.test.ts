import fc from "fast-check";
import { expect, test } from "vitest";
import { paretoFront, type TradeOff } from "../../../src/study/numbers/pareto.ts";

const beats = (a: TradeOff, b: TradeOff) =>
  a.bytes <= b.bytes && a.loss <= b.loss && (a.bytes < b.bytes || a.loss < b.loss);
const slow = <P extends TradeOff>(points: readonly P[]) => points.filter((b) => !points.some((a) => beats(a, b)));

// Small integers, so that ties in one or both are common.
const points = fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 6 }), loss: fc.integer({ min: 1, max: 6 }) }), {
  maxLength: 20,
});

test("the front is every point that no other beats", () => {
  fc.assert(
    fc.property(points, (all) => {
      const front = paretoFront(all);
      expect(new Set(front)).toEqual(new Set(slow(all)));
      expect(front.length).toBe(slow(all).length);
    }),
    { numRuns: 500 },
  );
});

test("it ascends in bytes, descends in loss, and does not depend on order", () => {
  fc.assert(
    fc.property(points, (all) => {
      const front = paretoFront(all);
      for (const [i, point] of front.slice(1).entries()) {
        const before = front[i] as TradeOff;
        expect(point.bytes).toBeGreaterThanOrEqual(before.bytes);
        expect(point.loss).toBeLessThanOrEqual(before.loss);
      }
      expect(paretoFront(all.toReversed())).toEqual(front);
    }),
  );
});

test("points that are not finite are on no front, and input is not reordered", () => {
  const all = [
    { bytes: 9, loss: 1 },
    { bytes: 1, loss: Number.NaN },
    { bytes: 2, loss: Number.POSITIVE_INFINITY },
  ];
  expect(paretoFront(all)).toEqual([{ bytes: 9, loss: 1 }]);
  expect(all[0]?.bytes).toBe(9);
});
