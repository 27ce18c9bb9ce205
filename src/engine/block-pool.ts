// Which blocks are in use, by how many sequences, and which full ones are kept for the next request that begins alike.
// Knows block numbers and content keys; neither tokens nor memory.

/** Reference-counted blocks 0 … size − 1. Every block is used, cached (idle, but its content can be found) or free. */
export class BlockPool {
  #size: number;
  #references: Int32Array;
  #keys: (string | undefined)[];
  readonly #byKey = new Map<string, number>();
  #free: number[];
  #idle = new Set<number>(); // cached blocks, the one released longest ago first

  constructor(size: number) {
    this.#size = size;
    this.#references = new Int32Array(size);
    this.#keys = new Array<string | undefined>(size).fill(undefined);
    this.#free = Array.from({ length: size }, (_, i) => size - 1 - i);
  }

  /** Blocks in all. */
  get size(): number {
    return this.#size;
  }

  /** Blocks that no sequence uses and nothing is known of. */
  get free(): number {
    return this.#free.length;
  }

  /** Blocks that no sequence uses but whose content can be found; the oldest make room when needed. */
  get cached(): number {
    return this.#idle.size;
  }

  /** Blocks that sequences use. */
  get used(): number {
    return this.size - this.free - this.cached;
  }

  /** Blocks that could be allocated now. */
  get available(): number {
    return this.free + this.cached;
  }

  /** Blocks that two sequences or more use. Walks all blocks. */
  get shared(): number {
    return this.#references.reduce((count, references) => count + Number(references > 1), 0);
  }

  /** How many sequences use a block. */
  references(block: number): number {
    return this.#references[block] as number;
  }

  /** Takes a block for one sequence: a free one, or the idle one released longest ago; undefined if all are used. */
  allocate(): number | undefined {
    const block = this.#free.pop() ?? this.#evict();
    if (block !== undefined) this.#references[block] = 1;
    return block;
  }

  /** Lets one more sequence use a block that is used or cached. */
  retain(block: number): void {
    if (this.#references[block] === 0 && !this.#idle.delete(block)) {
      throw new RangeError(`block pool: block ${block} is free; only what holds something can be shared`);
    }
    this.#references[block]!++;
  }

  /** Ends one sequence's use. The last one leaves the block cached if its content has a key, free otherwise. */
  release(block: number): void {
    if (!(this.references(block) > 0)) throw new RangeError(`block pool: block ${block} was released already`);
    if (--this.#references[block]! > 0) return;
    if (this.#keys[block] === undefined) this.#free.push(block);
    else this.#idle.add(block);
  }

  /** Makes a used block's content findable, unless another block holds the same already. */
  publish(block: number, key: string): void {
    if (!(this.references(block) > 0)) throw new RangeError(`block pool: block ${block} is not used by anyone`);
    if (this.#byKey.has(key) || this.#keys[block] !== undefined) return;
    this.#byKey.set(key, block);
    this.#keys[block] = key;
  }

  /** The block that holds the content of `key`, used or cached. */
  find(key: string): number | undefined {
    return this.#byKey.get(key);
  }

  /** Whether a block is cached: found but used by no one. */
  isIdle(block: number): boolean {
    return this.#idle.has(block);
  }

  /** Forgets the content of every block; cached ones become free. */
  forget(): void {
    for (const block of this.#idle) this.#free.push(block);
    this.#idle.clear();
    this.#byKey.clear();
    this.#keys.fill(undefined);
  }

  /**
   * Makes it a pool of `size` blocks, which the used ones must fit. Of the cached ones those released longest ago go. Gives
   * the new number of every block that is kept.
   */
  resize(size: number): Map<number, number> {
    if (size < this.used) throw new RangeError(`block pool: ${this.used} blocks are used; ${size} cannot hold them`);
    while (this.used + this.cached > size) this.#free.push(this.#evict() as number);
    const free = new Set(this.#free);
    const kept = Array.from({ length: this.#size }, (_, block) => block).filter((block) => !free.has(block));
    const renumbered = new Map(kept.map((block, i) => [block, i]));
    const [references, keys] = [this.#references, this.#keys];
    this.#size = size;
    this.#references = new Int32Array(size);
    this.#keys = new Array<string | undefined>(size).fill(undefined);
    for (const [from, to] of renumbered) {
      this.#references[to] = references[from] as number;
      const key = keys[from];
      this.#keys[to] = key;
      if (key !== undefined) this.#byKey.set(key, to);
    }
    this.#idle = new Set([...this.#idle].map((block) => renumbered.get(block) as number));
    this.#free = Array.from({ length: size - kept.length }, (_, i) => size - 1 - i);
    return renumbered;
  }

  #evict(): number | undefined {
    const [oldest] = this.#idle;
    if (oldest === undefined) return undefined;
    this.#idle.delete(oldest);
    this.#byKey.delete(this.#keys[oldest] as string);
    this.#keys[oldest] = undefined;
    return oldest;
  }
}
