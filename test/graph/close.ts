// What "the same up to rounding" means: no element further off than a fraction of the largest one.

import { expect } from "vitest";
import { differenceOf } from "./difference.ts";
import type { Given } from "./numbers.ts";

/** Fails unless shapes agree and no element is off by more than `tolerance` times the largest finite |element|. */
export function expectClose(found: Given | undefined, expected: Given | undefined, tolerance: number): void {
  const difference = differenceOf(found, expected, tolerance);
  if (difference) expect.fail(difference);
}
