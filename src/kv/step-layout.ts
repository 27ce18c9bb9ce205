// Which token of a step reads which block, as the index inputs of the paged graph (see kv/paged-store.ts). A block that
// one decoding token reads is read in place at the pool's front; blocks with several readers, and those of a prompt's
// earlier chunks, are read once by the group of their readers.

import type { PagedCache } from "./host-pools.ts";
import type { Tensors } from "../tensor/tensor.ts";
import type { Slice } from "../engine/scheduler.ts";

/** Tokens (rows of the step) that read the same blocks. */
interface Group {
  readonly tokens: readonly number[];
  readonly blocks: readonly number[];
}

/** What is known of a slice beside its sequence. */
interface Placed extends Slice {
  /** The step's row of its first token. */
  readonly row: number;
  /** Blocks that hold what comes before it. */
  readonly past: readonly number[];
}

/** Lays out the steps on one cache; `repeat` is the query heads of a KV head. */
export class StepLayout {
  readonly #cache: PagedCache;
  readonly #repeat: number;
  #last: { placed: readonly Placed[]; inputs: Tensors } | undefined;

  constructor(cache: PagedCache, repeat: number) {
    this.#cache = cache;
    this.#repeat = repeat;
  }

  /** Forgets the last step, whose blocks lie elsewhere now. */
  forget(): void {
    this.#last = undefined;
  }

  /** Moves the cache's blocks as the step needs them and gives the graph's index inputs, the last ones if they still hold. */
  inputs(slices: readonly Slice[]): Tensors {
    let rows = 0;
    const placed = slices.map((slice): Placed => {
      const { blocks, computed } = slice.sequence;
      const row = rows;
      rows += slice.count;
      return { ...slice, row, past: blocks.slice(0, Math.ceil(computed / this.#cache.blockSize)) };
    });
    if (!this.#last || !reads(placed, this.#last.placed)) {
      this.#last = { placed, inputs: layOut(placed, rows, this.#cache, this.#repeat) };
    }
    return this.#last.inputs;
  }
}

/** Whether a step of single tokens reads the same blocks as the last one did; nothing else has moved them. */
function reads(placed: readonly Placed[], last: readonly Placed[]): boolean {
  return (
    placed.length === last.length &&
    placed.every(({ count, past }, i) => {
      const before = last[i] as Placed;
      return (
        count === 1 &&
        before.count === 1 &&
        past.length === before.past.length &&
        past.every((block, j) => block === before.past[j])
      );
    })
  );
}

function layOut(placed: readonly Placed[], rows: number, cache: PagedCache, repeat: number): Tensors {
  const singles = placed.filter(({ count }) => count === 1);
  const chunks = placed.filter(({ count }) => count > 1);

  const readers = readersOf(singles);
  const front = [...readers].filter(([, tokens]) => tokens.length === 1);
  cache.gatherFront(front.map(([block]) => block));
  const groups = divide([...sharedRuns(singles, readers), ...chunks.map(chunkGroup)], repeat);

  // Rows of the parts, in the order that the graph joins them: own blocks, groups, singles, chunks.
  const parts: number[][] = Array.from({ length: rows }, () => []);
  const ownToken = new Int32Array(front.length);
  for (let place = 0; place < front.length; place++) {
    const [token] = readers.get(cache.occupant(place)) as [number];
    ownToken[place] = token;
  }
  for (const { row, past } of singles) {
    for (const block of past) if (readers.get(block)?.length === 1) parts[row]?.push(cache.slotOf(block));
  }
  const members = Math.max(1, ...groups.map(({ tokens }) => tokens.length));
  for (const [i, { tokens }] of groups.entries()) {
    for (const [j, token] of tokens.entries()) parts[token]?.push(front.length + i * members + j);
  }
  const singleStart = front.length + groups.length * members;
  for (const [i, { row }] of singles.entries()) parts[row]?.push(singleStart + i);
  const chunkStart = singleStart + singles.length;
  const longest = Math.max(1, ...chunks.map(({ count }) => count));
  for (const [i, { row, count }] of chunks.entries()) {
    for (let t = 0; t < count; t++) parts[row + t]?.push(chunkStart + i * longest + t);
  }

  return {
    "own.token": ints([front.length], ownToken),
    ...groupInputs(groups, members, cache),
    "single.tokens": ints(
      [singles.length],
      Int32Array.from(singles, ({ row }) => row),
    ),
    "chunk.tokens": padded(
      chunks.map(({ row, count }) => Array.from({ length: count }, (_, t) => row + t)),
      longest,
    ),
    "chunk.mask": causal(longest, repeat),
    ...partInputs(parts),
  };
}

/** The rows that read each block, in the order of the rows. */
function readersOf(singles: readonly Placed[]): Map<number, number[]> {
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

/** Runs of blocks that the same rows read. */
function sharedRuns(singles: readonly Placed[], readers: ReadonlyMap<number, readonly number[]>): Group[] {
  const runs: { tokens: readonly number[]; blocks: number[] }[] = [];
  for (const { row, past } of singles) {
    let last: (typeof runs)[number] | undefined;
    for (const block of past) {
      const tokens = readers.get(block) as readonly number[];
      if (tokens.length === 1 || tokens[0] !== row) continue; // its own, or listed by the first of its readers
      if (last && last.tokens.join() === tokens.join()) last.blocks.push(block);
      else {
        last = { tokens, blocks: [block] };
        runs.push(last);
      }
    }
  }
  return runs;
}

function chunkGroup({ row, count, past }: Placed): Group {
  return { tokens: Array.from({ length: count }, (_, t) => row + t), blocks: past };
}

/** What reading a block costs beside its products, in rows of queries: it is gathered, then packed for the product. */
const readingCost = 32;

/**
 * Cuts groups into pieces of at most so many tokens and blocks that, padded to one size, they cost the least. One group
 * alone is never cut.
 */
function divide(groups: readonly Group[], repeat: number): Group[] {
  const filled = groups.filter(({ blocks }) => blocks.length > 0);
  if (filled.length < 2) return filled;
  const sizes = (length: (group: Group) => number) => {
    const most = Math.max(...filled.map(length));
    return Array.from({ length: Math.ceil(Math.log2(most)) + 1 }, (_, i) => Math.ceil(most / 2 ** i));
  };
  let best = { cost: Number.POSITIVE_INFINITY, tokens: 1, blocks: 1 };
  for (const tokens of sizes((group) => group.tokens.length)) {
    for (const blocks of sizes((group) => group.blocks.length)) {
      const pieces = filled.reduce(
        (sum, group) => sum + Math.ceil(group.tokens.length / tokens) * Math.ceil(group.blocks.length / blocks),
        0,
      );
      const cost = pieces * blocks * (readingCost + tokens * repeat);
      if (cost < best.cost) best = { cost, tokens, blocks };
    }
  }
  return filled.flatMap((group) =>
    cut(group.tokens, best.tokens).flatMap((tokens) =>
      cut(group.blocks, best.blocks).map((blocks) => ({ tokens, blocks })),
    ),
  );
}

function cut<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
}

function groupInputs(groups: readonly Group[], members: number, cache: PagedCache): Tensors {
  const { blockSize } = cache;
  const most = Math.max(1, ...groups.map(({ blocks }) => blocks.length));
  const mask = new Float32Array(groups.length * most * blockSize).fill(Number.NEGATIVE_INFINITY);
  for (const [i, { blocks }] of groups.entries()) {
    for (const [j, block] of blocks.entries()) mask.set(cache.maskOf(block), (i * most + j) * blockSize);
  }
  return {
    "group.tokens": padded(
      groups.map(({ tokens }) => tokens),
      members,
    ),
    "group.blocks": padded(
      groups.map(({ blocks }) => blocks.map((block) => cache.slotOf(block))),
      most,
    ),
    "group.mask": { dtype: "float32", shape: [groups.length, 1, 1, most * blockSize], data: mask },
  };
}

// A token's missing parts repeat one of its own rows, masked: another's could hold what is no number.
function partInputs(parts: readonly (readonly number[])[]): Tensors {
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

let kept: { length: number; repeat: number; mask: Float32Array } | undefined;

/** `[length·repeat, length]`: row t·repeat + r sees positions 0 … t. The last one made is kept. */
function causal(length: number, repeat: number): Tensors[string] {
  if (kept?.length !== length || kept.repeat !== repeat) {
    const mask = new Float32Array(length * repeat * length);
    for (let row = 0; row < length * repeat; row++) {
      mask.fill(Number.NEGATIVE_INFINITY, row * length + Math.floor(row / repeat) + 1, (row + 1) * length);
    }
    kept = { length, repeat, mask };
  }
  return { dtype: "float32", shape: [length * repeat, length], data: kept.mask };
}

function ints(shape: readonly number[], data: Int32Array): Tensors[string] {
  return { dtype: "int32", shape, data };
}

/** Lists as a matrix, each filled up with its own last number. */
function padded(lists: readonly (readonly number[])[], width: number): Tensors[string] {
  const data = new Int32Array(lists.length * width);
  for (const [i, list] of lists.entries()) {
    data.set(list, i * width);
    data.fill(list.at(-1) ?? 0, i * width + list.length, (i + 1) * width);
  }
  return ints([lists.length, width], data);
}
