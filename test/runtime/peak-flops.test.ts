import { expect, test } from "vitest";
import type { Traits } from "../../src/runtime/device.ts";
import { peakFlops } from "../../src/runtime/peak-flops.ts";

const device = (kind: string, data = 1) => ({ kind, traits: { mesh: { data, model: 1 } } as Traits });

test("a card's peak goes by its name, the longest that suits", () => {
  expect(peakFlops(device("NVIDIA H100 80GB HBM3"))).toBe(989e12);
  expect(peakFlops(device("NVIDIA H100 PCIe"))).toBe(756e12);
  expect(peakFlops(device("NVIDIA A100-SXM4-80GB"))).toBe(312e12);
  expect(peakFlops(device("NVIDIA H100 80GB HBM3", 2))).toBe(2 * 989e12);
  expect(peakFlops(device("cpu"))).toBeUndefined();
});
