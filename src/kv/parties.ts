// Which token reads which block. A block with one reader is that token's own; a party of readers reads a block of several
// once. Knows no graph, and no cost but the one it is given.

import type { Tensor } from "../tensor/tensor.ts";
import type { HostPools } from "./host-pools.ts";
import type { Span } from "./kv-memory.ts";

/** What steps are laid out by. */
export interface LayoutOptions {
  /** Query heads of a KV head: rows of queries that a token adds to a product. */
  readonly repeat: number;
  /** What reading a party's block costs beside its products, in rows of queries. */
  readonly readingCost: number;
}

/** Tokens (rows of the step) that read the same blocks. */
export interface Party {
  readonly tokens: readonly number[];
  readonly blocks: readonly number[];
}

/** A span with the blocks that hold what comes before it. */
export interface Reading extends Span {
  readonly past: readonly number[];
}

/**
 * Who reads what in a step. Moves blocks that one token alone reads to the pools' front, of `front` places; the rest is
 * `parties` of at most `members` tokens and `most` blocks.
 */
export function layReaders(readings: readonly Reading[], pools: HostPools, options: LayoutOptions) {
  const singles = readings.filter(({ count }) => count === 1);
  const chunks = readings.filter(({ count }) => count > 1);
  const readers = readersOf(singles);
  const front = [...readers].filter(([, tokens]) => tokens.length === 1);
  pools.gatherFront(front.map(([block]) => block));
  const parties = divide([...sharedParties(singles, readers), ...chunks.map(chunkParty)], options);
  const members = Math.max(1, ...parties.map(({ tokens }) => tokens.length));
  const most = Math.max(1, ...parties.map(({ blocks }) => blocks.length));
  const tokens = Int32Array.from(front, (_, place) => readers.get(pools.occupant(place))?.[0] as number);
  const places = parties.map(({ blocks }) => blocks.map((block) => pools.placeOf(block)));
  const inputs = {
    "own.token": ints([front.length], tokens),
    "party.tokens": padded(
      parties.map(({ tokens }) => tokens),
      members,
    ),
    "party.places": padded(places, most),
  };
  return { singles, chunks, readers, front: front.length, parties, members, most, inputs };
}

/** The masks of the parties' blocks, `most` for each party; a missing block is seen by nobody. */
export function masksOf(parties: readonly Party[], most: number, pools: HostPools): Float32Array {
  const { blockSize } = pools;
  const mask = new Float32Array(parties.length * most * blockSize).fill(Number.NEGATIVE_INFINITY);
  for (const [i, { blocks }] of parties.entries()) {
    for (const [j, block] of blocks.entries()) mask.set(pools.maskOf(block), (i * most + j) * blockSize);
  }
  return mask;
}

/** The rows that read each block, in the order of the rows. */
function readersOf(singles: readonly Reading[]): Map<number, number[]> {
  const readers = new Map<number, number[]>();
  for (const { row, past } of singles) {
    for (const block of past) {
      const known = readers.get(block);
      if (known) known.push(row);
      else readers.set(block, [row]);
    }
  }
  return readers;
}

/** Parties of the rows that read a row of blocks together. */
function sharedParties(singles: readonly Reading[], readers: ReadonlyMap<number, readonly number[]>): Party[] {
  const parties: { tokens: readonly number[]; blocks: number[] }[] = [];
  for (const { row, past } of singles) {
    let last: (typeof parties)[number] | undefined;
    for (const block of past) {
      const tokens = readers.get(block) as readonly number[];
      if (tokens.length === 1 || tokens[0] !== row) continue; // its own, or listed by the first of its readers
      if (last && last.tokens.join() === tokens.join()) last.blocks.push(block);
      else {
        last = { tokens, blocks: [block] };
        parties.push(last);
      }
    }
  }
  return parties;
}

function chunkParty({ row, count, past }: Reading): Party {
  return { tokens: Array.from({ length: count }, (_, t) => row + t), blocks: past };
}

/**
 * Cuts parties into pieces of at most so many tokens and blocks that, padded to one size, they cost the least. One party
 * alone is never cut.
 */
function divide(parties: readonly Party[], { repeat, readingCost }: LayoutOptions): Party[] {
  const filled = parties.filter(({ blocks }) => blocks.length > 0);
  if (filled.length < 2) return filled;
  const sizes = (length: (party: Party) => number) => {
    const most = Math.max(...filled.map(length));
    return Array.from({ length: Math.ceil(Math.log2(most)) + 1 }, (_, i) => Math.ceil(most / 2 ** i));
  };
  let best = { cost: Number.POSITIVE_INFINITY, tokens: 1, blocks: 1 };
  for (const tokens of sizes((party) => party.tokens.length)) {
    for (const blocks of sizes((party) => party.blocks.length)) {
      const pieces = filled.reduce(
        (sum, party) => sum + Math.ceil(party.tokens.length / tokens) * Math.ceil(party.blocks.length / blocks),
        0,
      );
      const cost = pieces * blocks * (readingCost + tokens * repeat);
      if (cost < best.cost) best = { cost, tokens, blocks };
    }
  }
  return filled.flatMap((party) =>
    cut(party.tokens, best.tokens).flatMap((tokens) =>
      cut(party.blocks, best.blocks).map((blocks) => ({ tokens, blocks })),
    ),
  );
}

function cut<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
}

/** An int32 tensor. */
export function ints(shape: readonly number[], data: Int32Array): Tensor {
  return { dtype: "int32", shape, data };
}

/** Lists as `name`, a matrix, and as `name.mask` `[N, 1, 1, width]`, −∞ where a list has no more. */
export function paddedAndMasked<N extends string>(
  name: N,
  lists: readonly (readonly number[])[],
  width: number,
): Record<N | `${N}.mask`, Tensor> {
  const data = new Float32Array(lists.length * width);
  for (const [i, { length }] of lists.entries()) {
    data.fill(Number.NEGATIVE_INFINITY, i * width + length, (i + 1) * width);
  }
  const mask: Tensor = { dtype: "float32", shape: [lists.length, 1, 1, width], data };
  return { [name]: padded(lists, width), [`${name}.mask`]: mask } as Record<N | `${N}.mask`, Tensor>;
}

/** Lists as a matrix, each filled up with its own last number. */
export function padded(lists: readonly (readonly number[])[], width: number): Tensor {
  const data = new Int32Array(lists.length * width);
  for (const [i, list] of lists.entries()) {
    data.set(list, i * width);
    data.fill(list.at(-1) ?? 0, i * width + list.length, (i + 1) * width);
  }
  return ints([lists.length, width], data);
}
