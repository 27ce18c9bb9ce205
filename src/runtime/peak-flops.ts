// Peak speeds of cards: dense bfloat16 operations per second, from their makers' data sheets. They are MFU's denominator.

import { processors } from "../tensor/layout.ts";
import type { Device } from "./device.ts";

/** By the beginning of a card's name, longer ones first. */
const peaks: readonly (readonly [name: string, flops: number])[] = [
  ["NVIDIA H100 PCIe", 756e12],
  ["NVIDIA H100", 989e12],
  ["NVIDIA H200", 989e12],
  ["NVIDIA A100", 312e12],
];

/** The peak of all cards of a device together; undefined where none is known. */
export function peakFlops({ kind, traits }: Pick<Device, "kind" | "traits">): number | undefined {
  const peak = peaks.find(([name]) => kind.startsWith(name))?.[1];
  return peak && peak * processors(traits.mesh);
}
