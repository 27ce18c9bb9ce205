// Trains byte-level BPE: counts pairs over unique words and merges the most frequent until the vocabulary is full.
// Ties go to the smaller left id, then the smaller right id, so that the same text gives the same tokenizer.

import { InputError } from "../error.ts";
import { detached } from "./bpe.ts";
import { characterOf } from "./byte-alphabet.ts";
import { Heap } from "./heap.ts";
import { gpt2Pieces } from "./pretokenizer.ts";
import { loadTokenizer, type Tokenizer } from "./tokenizer.ts";

/** The text of the one special token that training adds; its id is 0, byte b's is b + 1, then merges in order. */
export const endOfTextContent = "<|endoftext|>";

const smallestVocabulary = 257; // 256 bytes and the end of text

/** How often each piece of the texts added occurs: all that training needs of them. */
export class PieceCounts {
  readonly #counts = new Map<string, number>();

  add(text: string): void {
    gpt2Pieces(text, (piece) => {
      const count = this.#counts.get(piece);
      if (count === undefined) this.#counts.set(detached(piece), 1);
      else this.#counts.set(piece, count + 1);
    });
  }

  /** Pieces and their counts. */
  entries(): Iterable<[string, number]> {
    return this.#counts;
  }
}

/** What training is asked for. */
export interface BpeTrainingOptions {
  /** Tokens in the vocabulary, the end of text and the 256 bytes included. */
  vocab: number;
  /** Told now and then how many of the `vocab` tokens there are. */
  onProgress?: (progress: { done: number; total: number }) => void;
}

/**
 * Trains a tokenizer with exactly `vocab` tokens.
 * @throws InputError for a vocabulary below 257, or one larger than the texts have pairs for.
 */
export function trainBpe(texts: Iterable<string> | PieceCounts, { vocab, onProgress }: BpeTrainingOptions): Tokenizer {
  if (!Number.isInteger(vocab) || vocab < smallestVocabulary) {
    throw new InputError(
      `vocab: ${vocab} asked; 256 bytes and the end of text need an integer of at least ${smallestVocabulary}`,
    );
  }
  const counts = texts instanceof PieceCounts ? texts : new PieceCounts();
  if (!(texts instanceof PieceCounts)) for (const text of texts) counts.add(text);

  const tokens = new Map([endOfTextContent, ...characterOf].map((token, id) => [token, id]));
  const spellings = [...tokens.keys()];
  const pairs = new Pairs(counts, vocab);
  const merges = new Set<string>();
  while (spellings.length < vocab) {
    const pair = pairs.most();
    if (!pair) {
      const largest = spellings.length;
      throw new InputError(`vocab: ${vocab} asked, but the text has no more pairs to merge; at most ${largest}`);
    }
    const left = spellings[pair.left] as string;
    const right = spellings[pair.right] as string;
    // Two pairs can spell the same token ("a"+"bc", "ab"+"c"): it keeps its id, and the vocabulary does not grow.
    let result = tokens.get(left + right);
    if (result === undefined) {
      result = spellings.push(left + right) - 1;
      tokens.set(left + right, result);
      if (result % 256 === 0) onProgress?.({ done: spellings.length, total: vocab });
    }
    merges.add(`${left} ${right}`);
    pairs.merge(pair, result);
  }
  onProgress?.({ done: vocab, total: vocab });
  return loadTokenizer(tokenizerJson(tokens, [...merges]));
}

interface Pair {
  readonly left: number;
  readonly right: number;
  count: number;
  /** The words it has been seen in: all that hold it, some that no longer do, some twice. */
  readonly words: number[];
}

/** The neighbouring tokens of all words, counted; a merge touches only the words that hold it. */
class Pairs {
  readonly #vocab: number;
  readonly #words: number[][] = [];
  readonly #counts: number[] = [];
  readonly #pairs = new Map<number, Pair>();
  readonly #heap = new Heap<{ count: number; pair: Pair }>(
    ({ count: a, pair: p }, { count: b, pair: q }) =>
      a > b || (a === b && (p.left < q.left || (p.left === q.left && p.right < q.right))),
  );

  constructor(pieces: PieceCounts, vocab: number) {
    this.#vocab = vocab;
    const utf8 = new TextEncoder();
    for (const [piece, count] of pieces.entries()) {
      const word = this.#words.push(Array.from(utf8.encode(piece), (byte) => byte + 1)) - 1;
      this.#counts.push(count);
      const ids = this.#words[word] as number[];
      for (let i = 0; i + 1 < ids.length; i++) this.#add(ids[i] as number, ids[i + 1] as number, count, word);
    }
    for (const pair of this.#pairs.values()) this.#heap.push({ count: pair.count, pair });
  }

  /** The most frequent pair, until it is merged; undefined where there is none. */
  most(): Pair | undefined {
    for (let entry = this.#heap.pop(); entry; entry = this.#heap.pop()) {
      const { count, pair } = entry;
      if (pair.count === count) return pair;
      if (pair.count > 0 && pair.count < count) this.#heap.push({ count: pair.count, pair }); // it lost some since
    }
    return undefined;
  }

  /** Puts `result` in the place of the pair, in every word. */
  merge(pair: Pair, result: number): void {
    const { left, right } = pair;
    const grown = new Set<Pair>();
    for (const word of new Set(pair.words)) {
      const count = this.#counts[word] as number;
      const old = this.#words[word] as number[];
      const ids: number[] = [];
      for (let i = 0; i < old.length; i++) {
        if (old[i] !== left || old[i + 1] !== right) {
          ids.push(old[i] as number);
          continue;
        }
        const before = ids.at(-1);
        if (before !== undefined) {
          this.#remove(before, left, count);
          grown.add(this.#add(before, result, count, word));
        }
        const after = old[i + 2];
        if (after !== undefined) {
          this.#remove(right, after, count);
          grown.add(this.#add(result, after, count, word));
        }
        ids.push(result);
        i++;
      }
      this.#words[word] = ids;
    }
    pair.count = 0;
    this.#pairs.delete(left * this.#vocab + right);
    for (const other of grown) if (other.count > 0) this.#heap.push({ count: other.count, pair: other });
  }

  #add(left: number, right: number, count: number, word: number): Pair {
    const key = left * this.#vocab + right;
    let pair = this.#pairs.get(key);
    if (!pair) {
      pair = { left, right, count: 0, words: [] };
      this.#pairs.set(key, pair);
    }
    pair.count += count;
    if (pair.words.at(-1) !== word) pair.words.push(word);
    return pair;
  }

  #remove(left: number, right: number, count: number): void {
    const pair = this.#pairs.get(left * this.#vocab + right);
    if (pair) pair.count -= count;
  }
}

function tokenizerJson(tokens: ReadonlyMap<string, number>, merges: readonly string[]): object {
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [{ id: 0, content: endOfTextContent, ...flags }],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens),
      merges,
    },
  };
}
