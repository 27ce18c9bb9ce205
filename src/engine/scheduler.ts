// Who runs next: which sequences decode one token, which read how much of their prompts, who waits, and who gives its
// blocks back when memory runs out. First come, first served, so no one starves. Knows no model and no memory.

import type { BlockPool } from "./block-pool.ts";
import type { Sequence } from "./sequence.ts";

/** What bounds a step. */
export interface SchedulerOptions {
  readonly blockSize: number;
  /** Prompt tokens of a step, a multiple of the block size. Prompts are cut at its multiples, whoever else runs. */
  readonly chunk: number;
  /** Most sequences that hold blocks at one time. */
  readonly maxSequences: number;
  /** Whether full blocks are shared between sequences that begin alike. */
  readonly prefixCache: boolean;
}

/** Part of a sequence that a step computes: `count` tokens after those in the cache. */
export interface Slice {
  readonly sequence: Sequence;
  readonly count: number;
}

/** The part of all blocks that admission leaves alone, so that those who run can grow (vLLM's watermark). */
const reservedFraction = 0.01;

/** Decides the steps of an engine. */
export class Scheduler {
  readonly options: SchedulerOptions;
  readonly #pool: BlockPool;
  readonly #waiting: Sequence[] = [];
  readonly #running: Sequence[] = []; // in the order of admission
  #preemptions = 0;
  #prefix = { asked: 0, found: 0 };

  constructor(pool: BlockPool, options: SchedulerOptions) {
    this.#pool = pool;
    this.options = options;
  }

  /** Sequences without blocks, the next to be admitted first. */
  get waiting(): readonly Sequence[] {
    return this.#waiting;
  }

  /** Sequences with blocks, the oldest first. */
  get running(): readonly Sequence[] {
    return this.#running;
  }

  /** How often a sequence had to give its blocks back. */
  get preemptions(): number {
    return this.#preemptions;
  }

  /** Prompt tokens that were asked for and those found in the prefix cache. */
  get prefix(): Readonly<{ asked: number; found: number }> {
    return this.#prefix;
  }

  /** Queues a sequence. It must fit the pool alone. */
  add(sequence: Sequence): void {
    this.#waiting.push(sequence);
  }

  /** Takes a sequence out, wherever it is, and frees its blocks. */
  remove(sequence: Sequence): void {
    for (const list of [this.#waiting, this.#running]) {
      const place = list.indexOf(sequence);
      if (place >= 0) list.splice(place, 1);
    }
    this.#release(sequence);
  }

  /** The next step: first one token of each sequence that decodes, then prompts. Empty if there is nothing to do. */
  plan(): Slice[] {
    const planned: Slice[] = [];
    const decoding = this.#running.filter(({ pending }) => pending === 1);
    const reading = this.#running.filter(({ pending }) => pending > 1);
    for (const sequence of decoding) {
      if (this.grow(sequence, sequence.length)) planned.push({ sequence, count: 1 });
    }
    let room = this.options.chunk;
    for (const sequence of reading) {
      const count = this.#chunkOf(sequence.length, sequence.computed);
      if (count > room) room = 0; // later ones wait for their turn, too
      if (room === 0 || !this.grow(sequence, sequence.computed + count)) continue;
      planned.push({ sequence, count });
      room -= count;
    }
    const slices = planned.filter(({ sequence }) => this.#running.includes(sequence)); // not preempted since
    while (room > 0 && this.#waiting.length > 0) {
      const [sequence] = this.#waiting as [Sequence];
      const count = this.#admit(sequence, room);
      if (count === undefined) break;
      slices.push({ sequence, count });
      room -= count;
    }
    return slices;
  }

  /** Notes that a slice's keys and values are in the cache. */
  computed({ sequence, count }: Slice): void {
    const { blockSize, prefixCache } = this.options;
    const before = Math.floor(sequence.computed / blockSize);
    sequence.computed += count;
    if (!prefixCache) return;
    for (let i = before; i < Math.floor(sequence.computed / blockSize); i++) {
      // Only after the block that is found for what comes before: who finds one finds the beginning with it.
      const follows = i === 0 || this.#pool.find(sequence.key(i - 1)) === sequence.blocks[i - 1];
      if (follows) this.#pool.publish(sequence.blocks[i] as number, sequence.key(i));
    }
  }

  /**
   * Gives a running sequence the blocks that its first `length` tokens take; without free ones the youngest sequences
   * give theirs back. False if it was itself among them.
   */
  grow(sequence: Sequence, length: number): boolean {
    const needed = Math.ceil(length / this.options.blockSize);
    while (this.#running.includes(sequence) && sequence.blocks.length < needed) {
      const block = this.#pool.allocate();
      if (block !== undefined) sequence.blocks.push(block);
      else this.#preempt(this.#running.at(-1) as Sequence);
    }
    return this.#running.includes(sequence);
  }

  /** Makes the pool one of `size` blocks: the youngest sequences give theirs back until the rest fits. */
  resize(size: number): Map<number, number> {
    while (this.#pool.used > size) this.#preempt(this.#running.at(-1) as Sequence);
    const renumbered = this.#pool.resize(size);
    for (const { blocks } of this.#running) {
      for (const [i, block] of blocks.entries()) blocks[i] = renumbered.get(block) as number;
    }
    return renumbered;
  }

  /** Blocks that running sequences still need for their prompts: spoken for, if not allocated. */
  get #promised(): number {
    return this.#running.reduce((sum, { blocksNeeded, blocks }) => sum + Math.max(0, blocksNeeded - blocks.length), 0);
  }

  #preempt(sequence: Sequence): void {
    this.#running.splice(this.#running.indexOf(sequence), 1);
    this.#waiting.unshift(sequence);
    this.#release(sequence);
    this.#preemptions++;
  }

  #release(sequence: Sequence): void {
    for (const block of sequence.blocks.reverse()) this.#pool.release(block); // the last blocks are the first to go
    sequence.blocks.length = 0;
    sequence.computed = 0;
  }

  #chunkOf(length: number, computed: number): number {
    const { chunk } = this.options;
    return Math.min(length - computed, chunk - (computed % chunk));
  }

  /** Lets a sequence run if the blocks of all its tokens are there, and says how many tokens it reads first. */
  #admit(sequence: Sequence, room: number): number | undefined {
    if (this.#running.length >= this.options.maxSequences) return undefined;
    const found = this.#findPrefix(sequence);
    const { blockSize } = this.options;
    const count = this.#chunkOf(sequence.length, found.length * blockSize);
    if (count > room) return undefined; // in a later step more of its beginning may have been found
    const idle = found.filter((block) => this.#pool.isIdle(block)).length;
    const missing = sequence.blocksNeeded - found.length;
    const spared = this.#running.length === 0 ? 0 : Math.floor(reservedFraction * this.#pool.size);
    if (missing + spared > this.#pool.available - idle - this.#promised) return undefined;
    for (const block of found) this.#pool.retain(block);
    sequence.blocks.push(...found);
    sequence.computed = found.length * blockSize;
    if (sequence.reused === undefined) {
      // Not again after a preemption: then it finds what it wrote itself.
      sequence.reused = sequence.computed;
      this.#prefix.asked += sequence.length;
      this.#prefix.found += sequence.computed;
    }
    this.#waiting.shift();
    this.#running.push(sequence);
    this.grow(sequence, sequence.computed + count);
    return count;
  }

  /** Blocks that hold the sequence's beginning; never all of it, since its last token must be computed. */
  #findPrefix(sequence: Sequence): number[] {
    const { blockSize, prefixCache } = this.options;
    const found: number[] = [];
    if (!prefixCache || sequence.readWhole) return found;
    for (let i = 0; (i + 1) * blockSize < sequence.length; i++) {
      const block = this.#pool.find(sequence.key(i));
      if (block === undefined) break;
      found.push(block);
    }
    return found;
  }
}

/** Tokens of a step: of prompts, and of sequences that decode. */
export function countTokens(slices: readonly Slice[]): { prefill: number; decode: number } {
  let [prefill, decode] = [0, 0];
  for (const { sequence, count } of slices) {
    if (count === 1 && sequence.computed >= sequence.promptLength) decode++;
    else prefill += count;
  }
  return { prefill, decode };
}
