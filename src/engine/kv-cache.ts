// The memory that sharing saves: keys and values of one sequence, allocated per owner layer. Borrowers have no row here.
// Knows nothing of attention.

import { cacheNames } from "../model/cached-store.ts";
import type { ModelConfig } from "../model/config.ts";
import { owners } from "../model/sharing.ts";
import { type Tensor, type Tensors, zeros } from "../tensor/tensor.ts";

/** A cache for up to `capacity` tokens of one sequence, float32, position-major: each token's row is `[G·D]`. */
export class KvCache {
  readonly capacity: number;
  readonly #rows: Readonly<Record<string, Tensor<"float32">>>; // [capacity, G·D] by cache name
  #length = 0;

  constructor({ sharing, kvHeads, headDim }: ModelConfig, capacity: number) {
    this.capacity = capacity;
    const names = owners(sharing).flatMap((owner) => Object.values(cacheNames(owner)));
    this.#rows = Object.fromEntries(names.map((name) => [name, zeros("float32", [capacity, kvHeads * headDim])]));
  }

  /** Tokens held. */
  get length(): number {
    return this.#length;
  }

  /** Bytes allocated, counted from the arrays themselves. */
  get bytes(): number {
    return Object.values(this.#rows).reduce((sum, { data }) => sum + data.buffer.byteLength, 0);
  }

  /** The rows held, as graph inputs `[length, G·D]` over the same memory. */
  get feeds(): Tensors {
    return Object.fromEntries(
      Object.entries(this.#rows).map(([name, { data, shape }]) => {
        const width = shape[1] as number;
        return [name, { dtype: "float32", shape: [this.#length, width], data: data.subarray(0, this.#length * width) }];
      }),
    );
  }

  /** Appends the rows `[count, G·D]` that a step wrote, for every owner. Throws a RangeError where they do not fit. */
  append(written: Tensors, count: number): void {
    if (this.#length + count > this.capacity) {
      throw new RangeError(`KV cache: ${this.#length} + ${count} tokens exceed its capacity of ${this.capacity}`);
    }
    for (const [name, { data, shape }] of Object.entries(this.#rows)) {
      data.set(written[name]?.data as Float32Array, this.#length * (shape[1] as number));
    }
    this.#length += count;
  }

  /** Forgets everything; the memory stays. */
  clear(): void {
    this.#length = 0;
  }
}
