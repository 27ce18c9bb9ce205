// Where two tensors are not the same up to rounding.

import type { Given } from "./numbers.ts";

/** What is wrong with `found`: its shape, or an element that is off by more than `tolerance` times the largest finite |element|. */
export function differenceOf(
  found: Given | undefined,
  expected: Given | undefined,
  tolerance: number,
): string | undefined {
  if (found?.shape.join() !== expected?.shape.join()) return `found [${found?.shape}], expected [${expected?.shape}]`;
  const [x, y] = [found, expected].map((given) => Array.from(given?.data as ArrayLike<number>, Number)) as [
    number[],
    number[],
  ];
  if (x.length !== y.length) return `found ${x.length} elements, expected ${y.length}`;
  const largest = y.reduce((top, v) => (Number.isFinite(v) ? Math.max(top, Math.abs(v)) : top), 0);
  const wrong = y.findIndex(
    (v, i) => !Object.is(v, x[i]) && !(v === x[i]) && !(Math.abs(v - (x[i] as number)) <= tolerance * largest),
  );
  if (wrong < 0) return undefined;
  return `element ${wrong} of [${expected?.shape}]: found ${x[wrong]}, expected ${y[wrong]} (largest ${largest})`;
}
