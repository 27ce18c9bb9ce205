// The index inputs of a step over float32 keys and values (see `stepInputs`): every part of a token's positions is a run of
// any length. Knows no cost but the one it is given.

import type { Tensor } from "../tensor/tensor.ts";
import type { HostPools } from "./host-pools.ts";
import type { StepInput } from "./paged-inputs.ts";
import { ints, type LayoutOptions, layReaders, masksOf, padded, paddedAndMasked, type Reading } from "./parties.ts";

/** The inputs that say who reads what; the others are positions, their turns, and what the pools tell. */
type LayoutInput = Exclude<StepInput, "positions" | "rope.cos" | "rope.sin" | "own.mask">;

/** Lays out a step: own blocks to the pools' front, then who reads what. */
export function layRuns(
  readings: readonly Reading[],
  pools: HostPools,
  options: LayoutOptions,
): Readonly<Record<LayoutInput, Tensor>> {
  const { singles, chunks, readers, front, parties, members, most, inputs } = layReaders(readings, pools, options);
  const rows = readings.reduce((sum, { count }) => sum + count, 0);

  // Rows of the parts, in the order that the graph joins them: own blocks, parties, singles, chunks.
  const parts: number[][] = Array.from({ length: rows }, () => []);
  for (const { row, past } of singles) {
    for (const block of past) if (readers.get(block)?.length === 1) parts[row]?.push(pools.placeOf(block));
  }
  for (const [i, { tokens }] of parties.entries()) {
    for (const [j, token] of tokens.entries()) parts[token]?.push(front + i * members + j);
  }
  const singleStart = front + parties.length * members;
  for (const [i, { row }] of singles.entries()) parts[row]?.push(singleStart + i);
  const chunkStart = singleStart + singles.length;
  const longest = Math.max(1, ...chunks.map(({ count }) => count));
  for (const [i, { row, count }] of chunks.entries()) {
    for (let t = 0; t < count; t++) parts[row + t]?.push(chunkStart + i * longest + t);
  }

  return {
    ...inputs,
    "party.mask": {
      dtype: "float32",
      shape: [parties.length, 1, 1, most * pools.blockSize],
      data: masksOf(parties, most, pools),
    },
    "single.tokens": ints(
      [singles.length],
      Int32Array.from(singles, ({ row }) => row),
    ),
    "chunk.tokens": padded(
      chunks.map(({ row, count }) => Array.from({ length: count }, (_, t) => row + t)),
      longest,
    ),
    "chunk.mask": causal(longest, options.repeat),
    // A token's missing parts repeat one of its own rows, masked: another's could hold what is no number.
    ...paddedAndMasked("parts", parts, Math.max(...parts.map(({ length }) => length))),
  };
}

let lastCausal: { length: number; repeat: number; mask: Float32Array } | undefined;

/** `[length·repeat, length]`: row t·repeat + r sees positions 0 … t. The last one made is lastCausal. */
function causal(length: number, repeat: number): Tensor {
  if (lastCausal?.length !== length || lastCausal.repeat !== repeat) {
    const mask = new Float32Array(length * repeat * length);
    for (let row = 0; row < length * repeat; row++) {
      mask.fill(Number.NEGATIVE_INFINITY, row * length + Math.floor(row / repeat) + 1, (row + 1) * length);
    }
    lastCausal = { length, repeat, mask };
  }
  return { dtype: "float32", shape: [length * repeat, length], data: lastCausal.mask };
}
