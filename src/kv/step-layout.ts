// Which token of a step reads which block, as the index inputs of the paged graph (see paged-inputs.ts). A block that one
// token alone reads is read in place at the pools' front; blocks with several readers, and those of a prompt's earlier
// chunks, are read once by the party of their readers. Knows no cost but the one it is given.

import type { Tensor } from "../tensor/tensor.ts";
import type { HostPools } from "./host-pools.ts";
import type { Span } from "./kv-memory.ts";
import type { StepInput } from "./paged-inputs.ts";

/** The inputs that say who reads what; the others are positions, their turns, and what the pools tell. */
type LayoutInput = Exclude<StepInput, "positions" | "rope.cos" | "rope.sin" | "own.mask">;
type LayoutInputs = Readonly<Record<LayoutInput, Tensor>>;

/** What steps are laid out by. */
export interface LayoutOptions {
  /** Query heads of a KV head: rows of queries that a token adds to a product. */
  readonly repeat: number;
  /** What reading a party's block costs beside its products, in rows of queries. */
  readonly readingCost: number;
}

/** Tokens (rows of the step) that read the same blocks. */
interface Party {
  readonly tokens: readonly number[];
  readonly blocks: readonly number[];
}

/** A span with the blocks that hold what comes before it. */
interface Reading extends Span {
  readonly past: readonly number[];
}

/** Lays out the steps on some pools, moving their blocks. */
export class StepLayout {
  readonly #pools: HostPools;
  readonly #options: LayoutOptions;
  #last: { readings: readonly Reading[]; inputs: LayoutInputs } | undefined;

  constructor(pools: HostPools, options: LayoutOptions) {
    this.#pools = pools;
    this.#options = options;
  }

  /** Forgets the last step, whose blocks lie elsewhere now. */
  forget(): void {
    this.#last = undefined;
  }

  /** Moves blocks as the step needs them and gives the graph's index inputs, the last ones if they still hold. */
  inputs(spans: readonly Span[]): LayoutInputs {
    const readings = spans.map((span): Reading => {
      return { ...span, past: span.blocks.slice(0, Math.ceil(span.start / this.#pools.blockSize)) };
    });
    if (!this.#last || !reads(readings, this.#last.readings)) {
      this.#last = { readings, inputs: layOut(readings, this.#pools, this.#options) };
    }
    return this.#last.inputs;
  }
}

/** Whether a step of single tokens reads the same blocks as the last one did; nothing else has moved them. */
function reads(readings: readonly Reading[], last: readonly Reading[]): boolean {
  return (
    readings.length === last.length &&
    readings.every(({ count, past }, i) => {
      const before = last[i] as Reading;
      return (
        count === 1 &&
        before.count === 1 &&
        past.length === before.past.length &&
        past.every((block, j) => block === before.past[j])
      );
    })
  );
}

function layOut(readings: readonly Reading[], pools: HostPools, options: LayoutOptions): LayoutInputs {
  const singles = readings.filter(({ count }) => count === 1);
  const chunks = readings.filter(({ count }) => count > 1);
  const rows = readings.reduce((sum, { count }) => sum + count, 0);

  const readers = readersOf(singles);
  const front = [...readers].filter(([, tokens]) => tokens.length === 1);
  pools.gatherFront(front.map(([block]) => block));
  const parties = divide([...sharedParties(singles, readers), ...chunks.map(chunkParty)], options);

  // Rows of the parts, in the order that the graph joins them: own blocks, parties, singles, chunks.
  const parts: number[][] = Array.from({ length: rows }, () => []);
  const ownToken = new Int32Array(front.length);
  for (let place = 0; place < front.length; place++) {
    const [token] = readers.get(pools.occupant(place)) as [number];
    ownToken[place] = token;
  }
  for (const { row, past } of singles) {
    for (const block of past) if (readers.get(block)?.length === 1) parts[row]?.push(pools.placeOf(block));
  }
  const members = Math.max(1, ...parties.map(({ tokens }) => tokens.length));
  for (const [i, { tokens }] of parties.entries()) {
    for (const [j, token] of tokens.entries()) parts[token]?.push(front.length + i * members + j);
  }
  const singleStart = front.length + parties.length * members;
  for (const [i, { row }] of singles.entries()) parts[row]?.push(singleStart + i);
  const chunkStart = singleStart + singles.length;
  const longest = Math.max(1, ...chunks.map(({ count }) => count));
  for (const [i, { row, count }] of chunks.entries()) {
    for (let t = 0; t < count; t++) parts[row + t]?.push(chunkStart + i * longest + t);
  }

  return {
    "own.token": ints([front.length], ownToken),
    ...partyInputs(parties, members, pools),
    "single.tokens": ints(
      [singles.length],
      Int32Array.from(singles, ({ row }) => row),
    ),
    "chunk.tokens": padded(
      chunks.map(({ row, count }) => Array.from({ length: count }, (_, t) => row + t)),
      longest,
    ),
    "chunk.mask": causal(longest, options.repeat),
    ...partInputs(parts),
  };
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

function partyInputs(
  parties: readonly Party[],
  members: number,
  pools: HostPools,
): Pick<LayoutInputs, "party.tokens" | "party.places" | "party.mask"> {
  const { blockSize } = pools;
  const most = Math.max(1, ...parties.map(({ blocks }) => blocks.length));
  const mask = new Float32Array(parties.length * most * blockSize).fill(Number.NEGATIVE_INFINITY);
  for (const [i, { blocks }] of parties.entries()) {
    for (const [j, block] of blocks.entries()) mask.set(pools.maskOf(block), (i * most + j) * blockSize);
  }
  return {
    "party.tokens": padded(
      parties.map(({ tokens }) => tokens),
      members,
    ),
    "party.places": padded(
      parties.map(({ blocks }) => blocks.map((block) => pools.placeOf(block))),
      most,
    ),
    "party.mask": { dtype: "float32", shape: [parties.length, 1, 1, most * blockSize], data: mask },
  };
}

// A token's missing parts repeat one of its own rows, masked: another's could hold what is no number.
function partInputs(parts: readonly (readonly number[])[]): Pick<LayoutInputs, "parts" | "parts.mask"> {
  const most = Math.max(...parts.map(({ length }) => length));
  const mask = new Float32Array(parts.length * most);
  for (const [token, { length }] of parts.entries()) {
    mask.fill(Number.NEGATIVE_INFINITY, token * most + length, (token + 1) * most);
  }
  return {
    parts: padded(parts, most),
    "parts.mask": { dtype: "float32", shape: [parts.length, 1, 1, most], data: mask },
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

function ints(shape: readonly number[], data: Int32Array): Tensor {
  return { dtype: "int32", shape, data };
}

/** Lists as a matrix, each filled up with its own last number. */
function padded(lists: readonly (readonly number[])[], width: number): Tensor {
  const data = new Int32Array(lists.length * width);
  for (const [i, list] of lists.entries()) {
    data.set(list, i * width);
    data.fill(list.at(-1) ?? 0, i * width + list.length, (i + 1) * width);
  }
  return ints([lists.length, width], data);
}
