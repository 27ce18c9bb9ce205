// Byte-pair encoding of one piece of text: the merge of lowest rank first, leftmost first among equals, in
// O(n log n), with a cache of pieces seen. Knows no patterns, no special tokens and no files.

import { Heap } from "./heap.ts";
import type { TokenBuffer } from "./token-buffer.ts";

/** Two neighbouring tokens and the token that takes their place. A merge's rank is its index in the list. */
export interface Merge {
  readonly left: number;
  readonly right: number;
  readonly result: number;
}

/** What fixes an encoder. */
export interface BpeOptions {
  /** One more than the largest token id. */
  readonly vocab: number;
  /** What merging begins with: the tokens of a piece's bytes, or of its characters. */
  readonly units: (piece: string) => Uint32Array;
  readonly merges: readonly Merge[];
  /** The token that a piece is, where such a piece is taken whole (`ignore_merges`). */
  readonly whole?: (piece: string) => number | undefined;
}

const longestCachedUnits = 64; // of UTF-16
const mostCachedPieces = 1 << 17;
const positionsPerRank = 2 ** 32;

/** Turns pieces into token ids. */
export class Bpe {
  readonly #options: BpeOptions;
  readonly #ranks = new Map<number, number>();
  readonly #cache = new Map<string, number[]>();

  constructor(options: BpeOptions) {
    this.#options = options;
    options.merges.forEach(({ left, right }, rank) => {
      this.#ranks.set(left * options.vocab + right, rank);
    });
  }

  /** Appends the tokens of `piece` to `out`. */
  encode(piece: string, out: TokenBuffer): void {
    let ids = this.#cache.get(piece);
    if (ids === undefined) {
      ids = this.#encode(piece);
      if (piece.length <= longestCachedUnits) {
        if (this.#cache.size >= mostCachedPieces) this.#cache.clear();
        this.#cache.set(detached(piece), ids);
      }
    }
    out.append(ids);
  }

  #encode(piece: string): number[] {
    const whole = this.#options.whole?.(piece);
    return whole === undefined ? this.#merge(this.#options.units(piece)) : [whole];
  }

  #merge(tokens: Uint32Array): number[] {
    const { merges, vocab } = this.#options;
    const length = tokens.length;
    const next = Uint32Array.from({ length }, (_, i) => i + 1); // `length` ends the list
    const previous = Int32Array.from({ length }, (_, i) => i - 1);
    const rankAt = (at: number): number | undefined => {
      const after = next[at] as number;
      return after < length ? this.#ranks.get((tokens[at] as number) * vocab + (tokens[after] as number)) : undefined;
    };
    const heap = new Heap<number>((a, b) => a < b);
    const offer = (at: number) => {
      const rank = rankAt(at);
      if (rank !== undefined) heap.push(rank * positionsPerRank + at);
    };
    for (let i = 0; i + 1 < length; i++) offer(i);

    const gone = new Uint8Array(length);
    for (let entry = heap.pop(); entry !== undefined; entry = heap.pop()) {
      const at = entry % positionsPerRank;
      const rank = (entry - at) / positionsPerRank;
      if (gone[at] || rankAt(at) !== rank) continue; // the pair was merged away after it was offered
      const taken = next[at] as number;
      const after = next[taken] as number;
      tokens[at] = (merges[rank] as Merge).result;
      gone[taken] = 1;
      next[at] = after;
      if (after < length) previous[after] = at;
      offer(at);
      const before = previous[at] as number;
      if (before >= 0) offer(before);
    }
    const ids: number[] = [];
    for (let at = 0; at < length; at = next[at] as number) ids.push(tokens[at] as number);
    return ids;
  }
}

/** A copy of `piece` that does not keep alive the text it was sliced from (V8 slices of 13 or more units do). */
export function detached(piece: string): string {
  return piece.length < 13 ? piece : ` ${piece}`.slice(1);
}
