// What cards are sold with: dense operations a second in bfloat16, from their makers' data sheets. The denominator of MFU.

/** By the beginning of a card's name, longer ones first. */
const peaks: readonly (readonly [name: string, flops: number])[] = [
  ["NVIDIA H100 PCIe", 756e12],
  ["NVIDIA H100", 989e12],
  ["NVIDIA H200", 989e12],
  ["NVIDIA A100", 312e12],
];

/** The peak of a card of this kind; undefined where none is known. */
export function peakFlops(kind: string): number | undefined {
  return peaks.find(([name]) => kind.startsWith(name))?.[1];
}
