// Keys and values of all sequences in blocks, as arrays of JavaScript: one pool per layer that keeps keys, one per layer
// that keeps values, none for borrowers. Others know blocks by number; only this file knows the place where a block lies.
// It moves blocks that a single decoding token reads to the front, where the graph reads them in place.

import type { DecoderConfig } from "../model/config.ts";
import type { KvDtype } from "../model/formats.ts";
import { ownedBy, owners, sourcesOf } from "../model/sharing.ts";
import { allocate, type DataOf } from "../tensor/dtype.ts";
import { sizeOf, type Tensor, type Tensors } from "../tensor/tensor.ts";
import type { Span } from "./kv-memory.ts";
import { type PoolArray, poolArrays } from "./paged-inputs.ts";

interface Pool {
  readonly array: PoolArray;
  /** Elements of a block. */
  readonly size: number;
  data: DataOf; // [places, ...block]
}

/** Pools of `blocks` blocks of `blockSize` tokens. */
export class HostPools {
  readonly blockSize: number;
  /** The outputs that hold a step's new rows. */
  readonly rowNames: readonly string[];
  readonly #pools: readonly Pool[];
  #mask: Float32Array; // [places, blockSize]: 0 where a token is, −∞ elsewhere
  #places: Int32Array; // of each block
  #occupants: Int32Array; // the block at each place
  #front = 0; // blocks at the front
  #feeds: { front: number; arrays: Tensors; mask: Tensor } | undefined;

  constructor(
    config: DecoderConfig,
    { blocks, blockSize, dtype }: { blocks: number; blockSize: number; dtype: KvDtype },
  ) {
    this.blockSize = blockSize;
    const sources = sourcesOf(config.sharing);
    const arrays = (["keys", "values"] as const).flatMap((side) =>
      owners(sources[side]).flatMap((owner) => {
        const { [side]: rows, scales } = poolArrays(ownedBy(owner), config, { dtype, blockSize });
        return scales ? [rows, scales[side]] : [rows];
      }),
    );
    this.#pools = arrays.map((array): Pool => {
      const size = sizeOf(array.block);
      return { array, size, data: allocate(array.dtype, blocks * size) };
    });
    this.rowNames = this.#pools.map(({ array }) => array.rows);
    this.#mask = new Float32Array(blocks * blockSize).fill(Number.NEGATIVE_INFINITY);
    this.#places = Int32Array.from({ length: blocks }, (_, i) => i);
    this.#occupants = this.#places.slice();
  }

  /** Blocks in all. */
  get blocks(): number {
    return this.#places.length;
  }

  /** Bytes of keys, values and their scales, counted from the arrays. */
  get bytes(): number {
    return this.#pools.reduce((sum, { data }) => sum + data.byteLength, 0);
  }

  /** Makes them pools of `blocks` blocks; those in `renumbered` keep what they hold. One pool after another is copied. */
  resize(blocks: number, renumbered: ReadonlyMap<number, number>): void {
    this.#feeds = undefined; // it holds the old arrays
    const moves = [...renumbered].map(([from, to]) => [this.placeOf(from), to] as const);
    const moved = <Data extends DataOf>(from: Data, to: Data, size: number): Data => {
      for (const [place, block] of moves) {
        to.set(from.subarray(place * size, (place + 1) * size) as never, block * size);
      }
      return to;
    };
    for (const pool of this.#pools) {
      pool.data = moved(pool.data, allocate(pool.array.dtype, blocks * pool.size), pool.size);
    }
    const mask = new Float32Array(blocks * this.blockSize).fill(Number.NEGATIVE_INFINITY);
    this.#mask = moved(this.#mask, mask, this.blockSize);
    this.#places = Int32Array.from({ length: blocks }, (_, i) => i);
    this.#occupants = this.#places.slice();
    this.#front = 0;
  }

  /** Where a block's content lies. */
  placeOf(block: number): number {
    return this.#places[block] as number;
  }

  /** Moves blocks so that `front` lie at the places 0 … front.length − 1, in any order. */
  gatherFront(front: readonly number[]): void {
    const wanted = new Set(front);
    const outside = front.filter((block) => this.placeOf(block) >= front.length);
    let place = 0;
    for (const block of outside) {
      while (wanted.has(this.#occupants[place] as number)) place++;
      this.#swap(place, this.placeOf(block));
    }
    this.#front = front.length;
  }

  /** The block at a place. */
  occupant(place: number): number {
    return this.#occupants[place] as number;
  }

  /** Pools and the front's mask as graph inputs, over the memory itself; the same objects as long as the front is as large. */
  get feeds(): { readonly arrays: Tensors; readonly mask: Tensor } {
    const front = this.#front;
    if (this.#feeds?.front === front) return this.#feeds;
    const arrays: Tensors = {};
    for (const { array, size, data } of this.#pools) {
      const { dtype, block, whole } = array;
      arrays[array.front] = { dtype, shape: [front, ...block], data: data.subarray(0, front * size) as DataOf };
      arrays[whole] = this.#feeds?.arrays[whole] ?? { dtype, shape: [this.blocks, ...block], data };
    }
    const { blockSize } = this;
    const mask = this.#mask.subarray(0, front * blockSize);
    this.#feeds = { front, arrays, mask: { dtype: "float32", shape: [front, 1, 1, blockSize], data: mask } };
    return this.#feeds;
  }

  /** A block's mask `[blockSize]`: 0 where a token is, −∞ elsewhere. */
  maskOf(block: number): Float32Array {
    const start = this.placeOf(block) * this.blockSize;
    return this.#mask.subarray(start, start + this.blockSize);
  }

  /** Writes a step's new rows, by their outputs' names, to their blocks; the first row of a block empties it. */
  write(rows: Tensors, spans: readonly Span[]): void {
    for (const { blocks, start, count } of spans) {
      for (let position = start; position < start + count; position++) {
        const block = blocks[Math.floor(position / this.blockSize)] as number;
        if (position % this.blockSize === 0) this.#clear(block);
        this.#mask[this.placeOf(block) * this.blockSize + (position % this.blockSize)] = 0;
      }
    }
    for (const pool of this.#pools) {
      const source = rows[pool.array.rows]?.data as DataOf;
      for (const span of spans) this.#writeRows(pool, source as Float32Array, span);
    }
  }

  // What an earlier text left in a block must not be seen; and what is no finite number spoils sums even where masked.
  #clear(block: number): void {
    this.maskOf(block).fill(Number.NEGATIVE_INFINITY);
    const place = this.placeOf(block);
    for (const { data, size } of this.#pools) data.fill(0 as never, place * size, (place + 1) * size);
  }

  #writeRows({ array, size, data }: Pool, source: Float32Array, { blocks, start, row, count }: Span): void {
    const target = data as Float32Array; // any type: elements are only copied
    const { blockSize } = this;
    const { block, positionsLast } = array;
    const heads = block[0];
    const width = positionsLast ? block[1] : block[2]; // elements of a token and head
    for (let done = 0; done < count; ) {
      const position = start + done;
      const offset = position % blockSize;
      const length = Math.min(count - done, blockSize - offset);
      const base = this.placeOf(blocks[Math.floor(position / blockSize)] as number) * size;
      for (let head = 0; head < heads; head++) {
        const from = ((row + done) * heads + head) * width;
        const to = base + head * width * blockSize;
        if (positionsLast) {
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
    for (const { data, size } of this.#pools) swapParts(data, a, b, size);
    swapParts(this.#mask, a, b, this.blockSize);
    const [first, second] = [this.#occupants[a] as number, this.#occupants[b] as number];
    this.#occupants[a] = second;
    this.#occupants[b] = first;
    this.#places[second] = a;
    this.#places[first] = b;
  }
}

function swapParts(data: DataOf, a: number, b: number, size: number): void {
  const kept = data.slice(a * size, (a + 1) * size);
  data.copyWithin(a * size, b * size, (b + 1) * size);
  data.set(kept as never, b * size);
}
