import fc from "fast-check";
import { expect, test } from "vitest";
import { type Box, boxesAlong, overlap, placeLabels, spread } from "../../src/charts/label-placement.ts";

const frame = { x: 0, y: 0, width: 900, height: 600 };
const point = fc.record({
  x: fc.integer({ min: 40, max: 860 }),
  y: fc.integer({ min: 40, max: 560 }),
  width: fc.integer({ min: 20, max: 120 }),
  height: fc.constant(15),
});

test("labels of up to twelve points overlap neither one another nor a point, and stay in the frame", () => {
  fc.assert(
    fc.property(fc.array(point, { maxLength: 12 }), (points) => {
      const boxes = placeLabels(points, { frame });
      for (const [i, box] of boxes.entries()) {
        expect(box.x).toBeGreaterThanOrEqual(0);
        expect(box.y).toBeGreaterThanOrEqual(0);
        expect(box.x + box.width).toBeLessThanOrEqual(900);
        expect(box.y + box.height).toBeLessThanOrEqual(600);
        for (const other of boxes.slice(i + 1)) expect(overlap(box, other)).toBe(0);
        for (const { x, y } of points) {
          expect(overlap(box, { x: x - 4, y: y - 4, width: 8, height: 8 })).toBe(0);
        }
      }
    }),
    { numRuns: 60 },
  );
});

test("a lone label is right of its point, and moves where something is in the way", () => {
  const lone = { x: 100, y: 100, width: 50, height: 14 };
  const right = { x: 104, y: 80, width: 300, height: 40 };
  expect(placeLabels([lone], { frame })).toEqual([{ x: 110, y: 93, width: 50, height: 14 }]);
  expect(placeLabels([lone], { frame, hard: [right] })).toEqual([{ x: 40, y: 93, width: 50, height: 14 }]);
});

test("two points in one place have labels on different sides", () => {
  const twin = { x: 100, y: 100, width: 50, height: 14 };
  const [a, b] = placeLabels([twin, twin], { frame }) as [Box, Box];
  expect(overlap(a, b)).toBe(0);
});

test("spread keeps order and distance, stays inside, and moves nothing that need not move", () => {
  const places = fc.array(fc.double({ min: 0, max: 300, noNaN: true }), { minLength: 1, maxLength: 15 });
  fc.assert(
    fc.property(places, (wanted) => {
      const moved = spread(wanted, 16, 0, 300);
      const order = wanted.map((_, i) => i).sort((a, b) => (wanted[a] as number) - (wanted[b] as number));
      for (const [rank, i] of order.entries()) {
        expect(moved[i]).toBeGreaterThanOrEqual(-1e-9);
        expect(moved[i]).toBeLessThanOrEqual(300 + 1e-9);
        const before = order[rank - 1];
        if (before !== undefined) expect((moved[i] as number) - (moved[before] as number)).toBeGreaterThan(16 - 1e-9);
      }
      expect(spread(moved, 16, 0, 300).every((y, i) => Math.abs(y - (moved[i] as number)) < 1e-9)).toBe(true);
    }),
  );
  expect(spread([10, 100, 200], 16, 0, 300)).toEqual([10, 100, 200]);
  expect(spread([100, 100], 16, 0, 300)).toEqual([92, 108]);
});

test("the boxes along a line cover it", () => {
  expect(
    boxesAlong([
      { x: 0, y: 5 },
      { x: 10, y: 5 },
    ]),
  ).toEqual([{ x: -1.5, y: 3.5, width: 13, height: 3 }]);
  expect(boxesAlong([{ x: 0, y: 5 }])).toEqual([]);
});
