// The memory that sharing saves: keys and values of all sequences in blocks, one pool per owner layer and none for
// borrowers. Blocks are known by number; where a number's content lies is this file's secret, so that the blocks which
// one decoding token each reads can lie together at the front, where the graph reads them in place.

import type { ModelConfig } from "../model/config.ts";
import { owners } from "../model/sharing.ts";
import { allocate, type DataOf, type DType } from "../tensor/dtype.ts";
import type { Tensors } from "../tensor/tensor.ts";
import { type KvDtype, poolNames, wholePool } from "./paged-store.ts";

/** One array of an owner's pool: `[blocks, ...shape]`, of which token t of a block has the elements t + i·step. */
interface Pool {
  readonly name: string;
  readonly dtype: DType;
  data: DataOf;
  /** Shape of a block. */
  readonly shape: readonly [heads: number, number, number];
  /** Positions are the last axis (keys, scales) or the one before it (values). */
  readonly last: boolean;
}

/** New rows of one sequence: rows `row` … `row + count − 1` of a step's outputs belong at positions `start` …. */
export interface NewRows {
  readonly blocks: readonly number[];
  readonly start: number;
  readonly row: number;
  readonly count: number;
}

/** A cache of `blocks` blocks of `blockSize` tokens. */
export class PagedCache {
  readonly blockSize: number;
  readonly #pools: readonly Pool[];
  #mask: Float32Array; // [blocks, blockSize]: 0 where a token is, −∞ elsewhere
  #slots: Int32Array; // the place of each block
  #occupants: Int32Array; // the block at each place
  #front = 0;
  #feeds: { front: number; tensors: Tensors } = { front: -1, tensors: {} };

  constructor(
    config: ModelConfig,
    { blocks, blockSize, dtype }: { blocks: number; blockSize: number; dtype: KvDtype },
  ) {
    this.blockSize = blockSize;
    const { sharing, kvHeads, headDim } = config;
    const keys = [kvHeads, headDim, blockSize] as const;
    const values = [kvHeads, blockSize, headDim] as const;
    const scales = [kvHeads, 1, blockSize] as const;
    this.#pools = owners(sharing).flatMap((owner) => {
      const names = poolNames(owner);
      const pool = (name: string, type: DType, shape: Pool["shape"], last: boolean): Pool => {
        const data = allocate(type, blocks * shape[0] * shape[1] * shape[2]);
        return { name, dtype: type, data, shape, last };
      };
      const both = [pool(names.keys, dtype, keys, true), pool(names.values, dtype, values, false)];
      if (dtype === "float32") return both;
      const named = [names.keyScales, names.valueScales].map((name) => pool(name, "float16", scales, true));
      return [...both, ...named];
    });
    this.#mask = new Float32Array(blocks * blockSize).fill(Number.NEGATIVE_INFINITY);
    this.#slots = Int32Array.from({ length: blocks }, (_, i) => i);
    this.#occupants = this.#slots.slice();
  }

  /** Blocks in all. */
  get blocks(): number {
    return this.#slots.length;
  }

  /** Bytes of keys, values and their scales, counted from the arrays. */
  get bytes(): number {
    return this.#pools.reduce((sum, { data }) => sum + data.byteLength, 0);
  }

  /** Makes it a cache of `blocks` blocks; those in `renumbered` keep what they hold. One pool after another is copied. */
  resize(blocks: number, renumbered: ReadonlyMap<number, number>): void {
    const moves = [...renumbered].map(([from, to]) => [this.slotOf(from), to] as const);
    const moved = <Data extends DataOf>(from: Data, to: Data, size: number): Data => {
      for (const [place, block] of moves) {
        to.set(from.subarray(place * size, (place + 1) * size) as never, block * size);
      }
      return to;
    };
    for (const pool of this.#pools) {
      const size = pool.shape[0] * pool.shape[1] * pool.shape[2];
      pool.data = moved(pool.data, allocate(pool.dtype, blocks * size), size);
    }
    const mask = new Float32Array(blocks * this.blockSize).fill(Number.NEGATIVE_INFINITY);
    this.#mask = moved(this.#mask, mask, this.blockSize);
    this.#slots = Int32Array.from({ length: blocks }, (_, i) => i);
    this.#occupants = this.#slots.slice();
    this.#front = 0;
    this.#feeds = { front: -1, tensors: {} };
  }

  /** Where a block's content lies. */
  slotOf(block: number): number {
    return this.#slots[block] as number;
  }

  /** Moves blocks so that `front` lie at the places 0 … front.length − 1, in any order. */
  gatherFront(front: readonly number[]): void {
    const wanted = new Set(front);
    const outside = front.filter((block) => this.slotOf(block) >= front.length);
    let place = 0;
    for (const block of outside) {
      while (wanted.has(this.#occupants[place] as number)) place++;
      this.#swap(place, this.slotOf(block));
    }
    this.#front = front.length;
  }

  /** The block at a place. */
  occupant(place: number): number {
    return this.#occupants[place] as number;
  }

  /** Pools and mask as graph inputs, over the memory itself; the same objects as long as the front is as large. */
  get feeds(): Tensors {
    if (this.#feeds.front === this.#front) return this.#feeds.tensors;
    const tensors: Tensors = {};
    for (const { name, dtype, data, shape } of this.#pools) {
      const front = data.subarray(0, this.#front * shape[0] * shape[1] * shape[2]) as DataOf;
      tensors[name] = { dtype, shape: [this.#front, ...shape], data: front };
      tensors[wholePool(name)] = this.#feeds.tensors[wholePool(name)] ?? {
        dtype,
        shape: [this.blocks, ...shape],
        data,
      };
    }
    const { blockSize } = this;
    const mask = this.#mask.subarray(0, this.#front * blockSize);
    tensors["own.mask"] = { dtype: "float32", shape: [this.#front, 1, 1, blockSize], data: mask };
    this.#feeds = { front: this.#front, tensors };
    return tensors;
  }

  /** A block's mask `[blockSize]`: 0 where a token is, −∞ elsewhere. */
  maskOf(block: number): Float32Array {
    const start = this.slotOf(block) * this.blockSize;
    return this.#mask.subarray(start, start + this.blockSize);
  }

  /** Writes a step's new rows (`[N, G·D]` by pool name) to their blocks; the first row of a block empties it. */
  write(written: Tensors, rows: readonly NewRows[]): void {
    for (const { blocks, start, count } of rows) {
      for (let position = start; position < start + count; position++) {
        const block = blocks[Math.floor(position / this.blockSize)] as number;
        if (position % this.blockSize === 0) this.#clear(block);
        this.#mask[this.slotOf(block) * this.blockSize + (position % this.blockSize)] = 0;
      }
    }
    for (const pool of this.#pools) {
      const source = written[pool.name]?.data as DataOf;
      for (const part of rows) this.#writeRows(pool, source as Float32Array, part);
    }
  }

  // What an earlier text left in a block must not be seen; and what is no finite number spoils sums even where masked.
  #clear(block: number): void {
    this.maskOf(block).fill(Number.NEGATIVE_INFINITY);
    for (const { data, shape } of this.#pools) {
      const size = shape[0] * shape[1] * shape[2];
      data.fill(0 as never, this.slotOf(block) * size, (this.slotOf(block) + 1) * size);
    }
  }

  #writeRows({ data, shape, last }: Pool, source: Float32Array, { blocks, start, row, count }: NewRows): void {
    const target = data as Float32Array; // any type: elements are only copied
    const { blockSize } = this;
    const heads = shape[0];
    const width = last ? shape[1] : shape[2]; // elements of a token and head
    const size = heads * width * blockSize;
    for (let done = 0; done < count; ) {
      const position = start + done;
      const offset = position % blockSize;
      const length = Math.min(count - done, blockSize - offset);
      const base = this.slotOf(blocks[Math.floor(position / blockSize)] as number) * size;
      for (let head = 0; head < heads; head++) {
        const from = ((row + done) * heads + head) * width;
        const to = base + head * width * blockSize;
        if (last) {
          for (let i = 0; i < width; i++) {
            const line = to + i * blockSize + offset;
            for (let t = 0; t < length; t++) target[line + t] = source[from + t * heads * width + i] as number;
          }
        } else {
          for (let t = 0; t < length; t++) {
            const line = to + (offset + t) * width;
            for (let i = 0; i < width; i++) target[line + i] = source[from + t * heads * width + i] as number;
          }
        }
      }
      done += length;
    }
  }

  #swap(a: number, b: number): void {
    for (const { data, shape } of this.#pools) swapParts(data, a, b, shape[0] * shape[1] * shape[2]);
    swapParts(this.#mask, a, b, this.blockSize);
    const [first, second] = [this.#occupants[a] as number, this.#occupants[b] as number];
    this.#occupants[a] = second;
    this.#occupants[b] = first;
    this.#slots[second] = a;
    this.#slots[first] = b;
  }
}

function swapParts(data: DataOf, a: number, b: number, size: number): void {
  const kept = data.slice(a * size, (a + 1) * size);
  data.copyWithin(a * size, b * size, (b + 1) * size);
  data.set(kept as never, b * size);
}
