// A growing array of token ids. Knows nothing of what they mean.

/** Token ids in the order they were appended. */
export class TokenBuffer {
  #ids: Uint32Array;
  #length = 0;

  constructor(capacity = 64) {
    this.#ids = new Uint32Array(Math.max(1, Math.ceil(capacity)));
  }

  append(ids: readonly number[]): void {
    const length = this.#length + ids.length;
    if (length > this.#ids.length) {
      const grown = new Uint32Array(Math.max(length, 2 * this.#ids.length));
      grown.set(this.#ids);
      this.#ids = grown;
    }
    for (let i = 0; i < ids.length; i++) this.#ids[this.#length + i] = ids[i] as number;
    this.#length = length;
  }

  /** A copy of what was appended. */
  toArray(): Uint32Array {
    return this.#ids.slice(0, this.#length);
  }
}
