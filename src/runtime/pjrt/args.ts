// The structs that calls of the C API take and fill: bytes with the addresses of what they point to.

/** An address: of a native object, or of memory. */
export type Handle = bigint;

/** The arguments of a call: a struct whose first field is its size. Objects that it points to live as long as it does. */
export class Args {
  readonly bytes: Buffer;
  readonly #kept: unknown[] = [];
  readonly #addressOf: (memory: ArrayBufferView) => bigint;

  constructor(size: number, addressOf: (memory: ArrayBufferView) => bigint) {
    this.bytes = Buffer.alloc(size);
    this.bytes.writeBigUInt64LE(BigInt(size), 0);
    this.#addressOf = addressOf;
  }

  /** Writes a handle, or the address of memory, which is kept. */
  pointer(offset: number, to: Handle | ArrayBufferView | Args): this {
    const memory = to instanceof Args ? to.bytes : to;
    if (typeof memory !== "bigint") this.#kept.push(to);
    this.bytes.writeBigUInt64LE(typeof memory === "bigint" ? memory : this.#addressOf(memory), offset);
    return this;
  }

  /** Keeps what is pointed to by address alone. */
  keep(what: unknown): this {
    this.#kept.push(what);
    return this;
  }

  /** Writes a 64-bit number, a size for one. */
  size(offset: number, value: number): this {
    this.bytes.writeBigInt64LE(BigInt(value), offset);
    return this;
  }

  int(offset: number, value: number): this {
    this.bytes.writeInt32LE(value, offset);
    return this;
  }

  float(offset: number, value: number): this {
    this.bytes.writeFloatLE(value, offset);
    return this;
  }

  /** Reads a handle that a call wrote. */
  handle(offset: number): Handle {
    return this.bytes.readBigUInt64LE(offset);
  }

  number(offset: number): number {
    return Number(this.bytes.readBigInt64LE(offset));
  }
}
