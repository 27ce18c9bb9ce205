// The index inputs of a step over 8-bit keys and values (see `pieceInputs`): every token merges pieces of one block each, in
// the order of their positions, whoever else reads them. A prompt's new tokens stand in pieces, too, which are the blocks
// that they will be in where the span begins with a block, as the engine's do. Knows no cost but the one it is given.

import type { Tensor } from "../tensor/tensor.ts";
import type { HostPools } from "./host-pools.ts";
import type { PieceInput } from "./paged-inputs.ts";
import { ints, type LayoutOptions, layReaders, padded, paddedAndMasked, type Reading } from "./parties.ts";

/** The inputs that say who reads what; the others are positions, their turns, and what the pools tell. */
type LayoutInput = Exclude<PieceInput, "positions" | "rope.cos" | "rope.sin" | "own.mask">;

/** Products over merged pieces add so many at a time; with as many more zeros their bits are the same. */
const mergedAtATime = 4;

/** New tokens that attend to a new piece: one that comes before them (kind 0), or their own (kind 1). */
interface Pair {
  readonly queries: readonly number[];
  readonly keys: readonly number[];
  readonly kind: 0 | 1;
}

/** Lays out a step: own blocks to the pools' front, then who reads what. */
export function layPieces(
  readings: readonly Reading[],
  pools: HostPools,
  options: LayoutOptions,
): Readonly<Record<LayoutInput, Tensor>> {
  const { readers, front, parties, members, most, inputs } = layReaders(readings, pools, options);
  const { blockSize } = pools;
  const rows = readings.reduce((sum, { count }) => sum + count, 0);
  const partyRows = parties.length * most * members;
  const pairs = readings.flatMap((reading) => pairsOf(reading, blockSize));
  const longest = Math.max(1, ...pairs.map(({ queries }) => queries.length));

  // Rows that the pieces gave, in the order that the graph joins them: own blocks, parties, the tokens themselves, pairs.
  const pieces: number[][] = Array.from({ length: rows }, () => []);
  const order = new Map(readings.flatMap(({ past }) => past.map((block, i) => [block, i] as const)));
  for (const { row, count, past } of readings) {
    if (count > 1) continue;
    for (const [i, block] of past.entries()) {
      if (readers.get(block)?.length === 1) (pieces[row] as number[])[i] = pools.placeOf(block);
    }
  }
  for (const [i, { tokens, blocks }] of parties.entries()) {
    for (const [j, block] of blocks.entries()) {
      const start = front + (i * most + j) * members;
      const place = order.get(block) as number;
      for (const [k, token] of tokens.entries()) (pieces[token] as number[])[place] = start + k;
    }
  }
  for (const [i, { queries, kind }] of pairs.entries()) {
    const start = front + partyRows + rows + i * longest;
    // The first token of a piece has none of its piece before it.
    for (const [t, token] of queries.entries()) if (kind === 0 || t > 0) pieces[token]?.push(start + t);
  }
  for (let token = 0; token < rows; token++) pieces[token]?.push(front + partyRows + token);

  const kinds = Int32Array.from(pairs, ({ kind }) => kind);
  return {
    ...inputs,
    "chunk.queries": padded(
      pairs.map(({ queries }) => queries),
      longest,
    ),
    "chunk.keys": padded(
      pairs.map(({ keys }) => keys),
      blockSize,
    ),
    "chunk.kinds": ints([pairs.length], kinds),
    "chunk.masks": masks(longest, options.repeat, blockSize),
    ...pieceIndices(pieces),
  };
}

/** Each of a span's pieces with those of the span before it and with itself. */
function pairsOf({ row, count }: Reading, blockSize: number): Pair[] {
  const pieces = Array.from({ length: Math.ceil(count / blockSize) }, (_, i) => {
    const start = i * blockSize;
    return Array.from({ length: Math.min(blockSize, count - start) }, (_, t) => row + start + t);
  });
  return pieces.flatMap((queries, i) => {
    const before = pieces.slice(0, i).map((keys): Pair => ({ queries, keys, kind: 0 }));
    return queries.length > 1 ? [...before, { queries, keys: queries, kind: 1 }] : before;
  });
}

// A token's missing pieces repeat one of its own rows, masked: another's could hold what is no number.
function pieceIndices(pieces: readonly (readonly number[])[]): Record<"pieces" | "pieces.mask", Tensor> {
  const most = Math.ceil(Math.max(...pieces.map(({ length }) => length)) / mergedAtATime) * mergedAtATime;
  return paddedAndMasked("pieces", pieces, most);
}

let lastMasks: { length: number; repeat: number; blockSize: number; data: Float32Array } | undefined;

/** `[2, 1, length·repeat, blockSize]`: all is seen; row t·repeat + r sees positions before t. The last one is lastMasks. */
function masks(length: number, repeat: number, blockSize: number): Tensor {
  const rows = length * repeat;
  if (lastMasks?.length !== length || lastMasks.repeat !== repeat || lastMasks.blockSize !== blockSize) {
    const data = new Float32Array(2 * rows * blockSize);
    for (let row = 0; row < rows; row++) {
      const start = (rows + row) * blockSize;
      data.fill(Number.NEGATIVE_INFINITY, start + Math.floor(row / repeat), start + blockSize);
    }
    lastMasks = { length, repeat, blockSize, data };
  }
  return { dtype: "float32", shape: [2, 1, rows, blockSize], data: lastMasks.data };
}
