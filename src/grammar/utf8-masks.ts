// Which tokens go on with well-formed UTF-8 (The Unicode Standard, table 3-7), by the last byte before them.
// xgrammar 0.1.27 follows the lengths of characters, but not that some first bytes take only some second bytes.

import type { Tokenizer } from "../text/tokenizer.ts";

/** The second bytes of those first bytes that do not take all of 80 … BF. */
const seconds: readonly (readonly [first: number, low: number, high: number])[] = [
  [0xe0, 0xa0, 0xbf],
  [0xed, 0x80, 0x9f],
  [0xf0, 0x90, 0xbf],
  [0xf4, 0x80, 0x8f],
];

/** Masks of a vocabulary: a bit for each token, 32 a word. */
export class Utf8Masks {
  readonly #words: number;
  readonly #anywhere: Int32Array;
  readonly #after = new Map<number, Int32Array>(); // first bytes that take only some second bytes

  /** @param size the number of tokens in a mask, at least the vocabulary. */
  constructor(tokenizer: Pick<Tokenizer, "vocab" | "bytesOf">, size: number) {
    this.#words = Math.ceil(size / 32);
    const tokens = Array.from({ length: tokenizer.vocab }, (_, id) => tokenizer.bytesOf(id));
    const masked = (fits: (bytes: Uint8Array) => boolean) => {
      const mask = new Int32Array(this.#words);
      for (const [id, bytes] of tokens.entries()) if (fits(bytes)) mask[id >> 5]! |= 1 << (id & 31);
      return mask;
    };
    this.#anywhere = masked(wellFormed);
    for (const [first, low, high] of seconds) {
      this.#after.set(
        first,
        masked((bytes) => wellFormed(bytes) && bytes[0]! >= low && bytes[0]! <= high),
      );
    }
  }

  /** Takes from `mask` what does not go on after `last`, the text's last byte, and what is past the vocabulary. */
  restrict(mask: Int32Array, last: number | undefined): void {
    const fitting = this.#after.get(last ?? 0) ?? this.#anywhere;
    for (let word = 0; word < mask.length; word++) mask[word]! &= fitting[word]!;
  }

  /** The mask of these tokens. */
  only(tokens: Iterable<number>): Int32Array {
    const mask = new Int32Array(this.#words);
    for (const token of tokens) mask[token >> 5]! |= 1 << (token & 31);
    return mask;
  }
}

/** Whether bytes can be a part of well-formed UTF-8, given that its characters are as long as their first bytes say. */
function wellFormed(bytes: Uint8Array): boolean {
  if (bytes.some((byte) => byte === 0xc0 || byte === 0xc1 || byte >= 0xf5)) return false;
  return seconds.every(([first, low, high]) =>
    bytes.every(
      (byte, i) => byte !== first || i + 1 === bytes.length || (bytes[i + 1]! >= low && bytes[i + 1]! <= high),
    ),
  );
}
