// One text in the making: its tokens, how many of them the cache holds, and in which blocks. Knows no model and no pool.

import { createHash } from "node:crypto";

/** A sequence's tokens and its place in the cache. */
export class Sequence {
  readonly id: number;
  /** Tokens of the prompt. */
  readonly promptLength: number;
  /** Most tokens to add to the prompt. */
  readonly maxTokens: number;
  /** Whether its whole prompt is computed, though its beginning may be in the cache: its logits are wanted. */
  readonly readWhole: boolean;
  /** Blocks that hold its keys and values, in order: its block table. */
  readonly blocks: number[] = [];
  /** Tokens whose keys and values are in the cache. */
  computed = 0;
  /** Tokens of its prompt that were found and not computed; undefined before it was admitted. */
  reused: number | undefined;
  readonly #blockSize: number;
  readonly #keys: string[] = []; // of its full blocks, as far as they were asked for
  #tokens: Int32Array;
  #length: number;

  constructor(
    id: number,
    prompt: ArrayLike<number>,
    { maxTokens, blockSize, readWhole = false }: { maxTokens: number; blockSize: number; readWhole?: boolean },
  ) {
    this.id = id;
    this.promptLength = prompt.length;
    this.maxTokens = maxTokens;
    this.readWhole = readWhole;
    this.#blockSize = blockSize;
    this.#tokens = new Int32Array(prompt.length + Math.min(maxTokens, 64));
    this.#tokens.set(prompt);
    this.#length = prompt.length;
  }

  /** Tokens in all. */
  get length(): number {
    return this.#length;
  }

  /** Tokens added to the prompt. */
  get generated(): number {
    return this.#length - this.promptLength;
  }

  /** Tokens that are not in the cache yet; one while the sequence decodes. */
  get pending(): number {
    return this.#length - this.computed;
  }

  /** Blocks that all its tokens take. */
  get blocksNeeded(): number {
    return Math.ceil(this.#length / this.#blockSize);
  }

  /** Tokens `start` … `end` − 1, a view. */
  tokens(start = 0, end = this.#length): Int32Array {
    return this.#tokens.subarray(start, end);
  }

  /** Adds a token. */
  push(token: number): void {
    if (this.#length === this.#tokens.length) {
      const larger = new Int32Array(this.#length * 2);
      larger.set(this.#tokens);
      this.#tokens = larger;
    }
    this.#tokens[this.#length++] = token;
  }

  /**
   * The content key of its full block `index`: a hash of all tokens up to the block's end, since keys and values depend
   * on everything before them.
   */
  key(index: number): string {
    for (let i = this.#keys.length; i <= index; i++) {
      const hash = createHash("sha256").update(this.#keys[i - 1] ?? "");
      const { buffer, byteOffset, byteLength } = this.tokens(i * this.#blockSize, (i + 1) * this.#blockSize);
      this.#keys.push(hash.update(new Uint8Array(buffer, byteOffset, byteLength)).digest("base64"));
    }
    return this.#keys[index] as string;
  }
}
