// Keys and values of all sequences, wherever they lie: what a serving graph is traced with, what it is fed in a step, and
// where its new rows go. Knows blocks by number; no requests, no schedule, no kind of memory.

import type { Value } from "../graph/value.ts";
import type { KvDtype } from "../model/formats.ts";
import type { KvStore } from "../model/kv.ts";
import type { Buffers } from "../runtime/device.ts";

/**
 * Tokens of one sequence in a step: the step's rows `row` … `row + count − 1` are those at positions `start` … of a text
 * whose keys and values lie in `blocks`, in order. Those before `start` have been taken. A span of several tokens begins
 * with a block, and blocks that several tokens of a step read before their own are full.
 */
export interface Span {
  readonly blocks: readonly number[];
  readonly start: number;
  readonly row: number;
  readonly count: number;
}

/** A store of N new tokens and what it adds to the graph's outputs: the owners' new rows, which `KvMemory.take` reads. */
export interface ServingStore extends KvStore {
  readonly outputs: Readonly<Record<string, Value>>;
}

/** Memory of `blocks` blocks, each for `blockSize` tokens of all owners. Several sequences may hold one block. */
export interface KvMemory extends Disposable {
  readonly blocks: number;
  readonly blockSize: number;
  readonly dtype: KvDtype;
  /** Bytes of keys, values and their scales, counted from what is allocated. */
  readonly bytes: number;
  /** The store to trace a graph with. It declares the graph inputs that `inputs` feeds. */
  store(): ServingStore;
  /** What the store reads in a step of these spans, whose rows follow each other from 0. Holds until the next call. */
  inputs(spans: readonly Span[]): Buffers;
  /** Keeps the new rows among a step's outputs, whose buffers stay the caller's. A block's first row empties it. */
  take(outputs: Buffers, spans: readonly Span[]): Promise<void>;
  /** Makes it a memory of `blocks` blocks; those in `renumbered` keep what they hold, under their new numbers. */
  resize(blocks: number, renumbered: ReadonlyMap<number, number>): void;
}
