import { expect, it } from "vitest";
import { median } from "../../src/tensor/estimate.ts";

it("takes the middle of an odd count, the mean of the two in the middle of an even one", () => {
  expect(median([10, 9, 1])).toBe(9);
  expect(median([10, 9, 1, 100])).toBe(9.5);
  expect(median([7])).toBe(7);
  expect(median([])).toBeNaN();
});

it("leaves its values in their order", () => {
  const values = [3, 1, 2];
  median(values);
  expect(values).toEqual([3, 1, 2]);
});
