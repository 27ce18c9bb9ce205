// Batches of token sequences for training, in an order that depends on the seed and the epoch alone: neither batch size
// nor where a run was resumed changes which sequence comes n-th. Knows no files and no model.

import { InputError } from "../error.ts";
import { Random } from "../tensor/random.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";

/** Tokens that can be read anywhere, such as a `Shard`. */
export interface TokenReader {
  readonly tokens: number;
  read(start: number, count: number): ArrayLike<number>;
}

/** What fixes the batches. */
export interface BatchesOptions {
  /** Sequences in a batch. */
  batch: number;
  /** Tokens predicted in each sequence. */
  context: number;
  seed: number;
}

/** A batch and where it stands. */
export interface Batch {
  /** [B, T + 1]: inputs are the first T tokens, targets the last T. */
  readonly tokens: Tensor<"int32">;
  /** The position of its first sequence. */
  readonly position: number;
  /** The epoch of its first sequence, from 0. */
  readonly epoch: number;
}

/**
 * Sequences of T + 1 tokens at a stride of T, so that each token but the first is predicted once an epoch (up to T − 1
 * at the end never are), shuffled anew every epoch.
 */
export class Batches {
  /** Sequences in an epoch. */
  readonly perEpoch: number;
  readonly #source: TokenReader;
  readonly #options: BatchesOptions;
  #position = 0;
  #order: { epoch: number; sequences: Uint32Array } | undefined;

  /** @throws InputError where the tokens do not make one sequence, or a size is not a positive integer. */
  constructor(source: TokenReader, options: BatchesOptions) {
    const { batch, context } = options;
    for (const [name, size] of Object.entries({ batch, context })) {
      if (!Number.isInteger(size) || size < 1) {
        throw new InputError(`batches: ${name} must be a positive integer, found ${size}`);
      }
    }
    if (source.tokens < context + 1) {
      throw new InputError(
        `batches: a context of ${context} needs ${context + 1} tokens, the data has ${source.tokens}; ${source.tokens > 1 ? `use a context of at most ${source.tokens - 1}, or more data` : "use more data"}`,
      );
    }
    this.#source = source;
    this.#options = options;
    this.perEpoch = Math.floor((source.tokens - 1) / context);
  }

  /** Sequences given out so far, over all epochs: what to `seek` to when going on later. */
  get position(): number {
    return this.#position;
  }

  /** Goes to the sequence at `position`, without reading those before it. */
  seek(position: number): void {
    if (!Number.isSafeInteger(position) || position < 0) {
      throw new InputError(`batches: a position counts sequences from 0, found ${position}`);
    }
    this.#position = position;
  }

  /** The next batch; it may span two epochs. */
  next(): Batch {
    const { batch, context } = this.#options;
    const position = this.#position;
    const data = new Int32Array(batch * (context + 1));
    for (let row = 0; row < batch; row++) {
      const sequence = this.#sequenceAt(position + row);
      data.set(this.#source.read(sequence * context, context + 1), row * (context + 1));
    }
    this.#position = position + batch;
    const tokens = tensor("int32", [batch, context + 1], data); // [B, T + 1]
    return { tokens, position, epoch: Math.floor(position / this.perEpoch) };
  }

  #sequenceAt(position: number): number {
    const epoch = Math.floor(position / this.perEpoch);
    if (this.#order?.epoch !== epoch) {
      const random = new Random(this.#options.seed).split(`epoch-${epoch}`);
      this.#order = { epoch, sequences: random.permutation(this.perEpoch) };
    }
    return this.#order.sequences[position % this.perEpoch] as number;
  }
}
