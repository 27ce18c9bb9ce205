// Room for large bodies that are being received or read: who sends many and finishes none must not fill the memory. Small ones
// need none. Knows no requests.

/** Bytes from which on a body is large, and needs room. */
export const largeBytes = 1 << 16;

/** So many bodies of the largest size find room. */
const mostBodies = 64;

let taken = 0; // by all that this process receives

/** The room that one body has, until it is disposed of. */
export class BodyRoom implements Disposable {
  #bytes = 0;

  /** Makes it so large; false where there is no more, beside those of others. */
  grow(bytes: number, mostBytes: number): boolean {
    if (bytes <= Math.max(this.#bytes, largeBytes)) return true;
    if (taken - this.#bytes + bytes > mostBodies * mostBytes) return false;
    taken += bytes - this.#bytes;
    this.#bytes = bytes;
    return true;
  }

  [Symbol.dispose](): void {
    taken -= this.#bytes;
    this.#bytes = 0;
  }
}
