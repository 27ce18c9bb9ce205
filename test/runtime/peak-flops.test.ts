import { expect, test } from "vitest";
import { peakFlops } from "../../src/runtime/peak-flops.ts";

test("a card's peak goes by its name, the longest that suits", () => {
  expect(peakFlops("NVIDIA H100 80GB HBM3")).toBe(989e12);
  expect(peakFlops("NVIDIA H100 PCIe")).toBe(756e12);
  expect(peakFlops("NVIDIA A100-SXM4-80GB")).toBe(312e12);
  expect(peakFlops("cpu")).toBeUndefined();
});
