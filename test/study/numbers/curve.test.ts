import fc from "fast-check";
import { expect, test } from "vitest";
import { thinCurve } from "../../../src/study/numbers/curve.ts";

test("a short curve stays as it is", () => {
  const curve = [
    { step: 1, loss: 3 },
    { step: 2, loss: 2, validation: 2.5 },
  ];
  expect(thinCurve(curve)).toEqual(curve);
  expect(thinCurve([])).toEqual([]);
});

test("a long one keeps its end, its mean and its validation losses' steps", () => {
  const curve = Array.from({ length: 10 }, (_, i) => ({ step: i + 1, loss: i, ...(i === 4 ? { validation: 7 } : {}) }));
  expect(thinCurve(curve, 4)).toEqual([
    { step: 3, loss: 1 },
    { step: 6, loss: 4, validation: 7 },
    { step: 9, loss: 7 },
    { step: 10, loss: 9 },
  ]);
});

test("it never has more points than asked for, and ends where the run did", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 1, max: 300 }), (length, points) => {
      const thinned = thinCurve(
        Array.from({ length }, (_, step) => ({ step, loss: 1 })),
        points,
      );
      expect(thinned.length).toBeLessThanOrEqual(points);
      expect(thinned.at(-1)?.step).toBe(length - 1);
    }),
  );
});
