// What "the same up to rounding" means: no element further off than a fraction of the largest one.

import { expect } from "vitest";
import type { Given } from "./numbers.ts";

/** Fails unless shapes agree and no element is off by more than `tolerance` times the largest finite |element|. */
export function expectClose(found: Given | undefined, expected: Given | undefined, tolerance: number): void {
  expect(found?.shape).toEqual(expected?.shape);
  const [x, y] = [found, expected].map((given) => Array.from(given?.data as ArrayLike<number>, Number)) as [
    number[],
    number[],
  ];
  expect(x.length).toBe(y.length);
  const largest = y.reduce((top, v) => (Number.isFinite(v) ? Math.max(top, Math.abs(v)) : top), 0);
  const wrong = y.findIndex(
    (v, i) => !Object.is(v, x[i]) && !(v === x[i]) && !(Math.abs(v - (x[i] as number)) <= tolerance * largest),
  );
  if (wrong >= 0) {
    expect.fail(
      `element ${wrong} of [${expected?.shape}]: found ${x[wrong]}, expected ${y[wrong]} (largest ${largest})`,
    );
  }
}
