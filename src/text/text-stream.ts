// The text of a generation as it comes, up to the first stop text. The output depends on the text alone, not on
// where its tokens begin. Knows no sampling.

import { InputError } from "../error.ts";
import { Detokenizer } from "./detokenizer.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** The most stop texts of a stream, and the most UTF-16 units of each. */
const mostStops = 64;
const longestStop = 4096;

/** A stop text that is looked for (Knuth, Morris and Pratt, 1977). */
interface Stop {
  readonly text: string;
  /** For each beginning of `text`, the length of the longest shorter beginning that it ends with. */
  readonly borders: Uint16Array;
  /** How long a beginning of `text` the stream ends with. */
  matched: number;
}

/**
 * Streams the text of tokens. The pieces, joined, are the tokens' text before the stop text that begins earliest. Held
 * back is what could yet be the beginning of one.
 */
export class TextStream {
  readonly #detokenizer: Detokenizer;
  readonly #stops: readonly Stop[];
  #held = "";
  #start = 0; // of what is held, in the text
  #length = 0; // of the text that was looked at
  #found = Number.POSITIVE_INFINITY; // where the earliest stop text so far begins
  #stopped = false;

  /** @throws InputError for more than 64 stop texts, and for one that is empty, too long or has half a character. */
  constructor(tokenizer: Pick<Tokenizer, "bytesOf">, stop: readonly string[]) {
    if (stop.length > mostStops) {
      throw InputError.at("stop", `${stop.length} texts; there can be at most ${mostStops}`);
    }
    for (const [i, text] of stop.entries()) checkStop(text, i);
    this.#detokenizer = new Detokenizer(tokenizer);
    this.#stops = [...new Set(stop)].map((text) => ({ text, borders: bordersOf(text), matched: 0 }));
  }

  /** The text that is certain with `token`; empty once the stream has stopped. */
  push(token: number): string {
    return this.#stopped ? "" : this.#add(this.#detokenizer.push(token));
  }

  /** Whether a stop text was reached. One that lies within the beginning of another counts when that has failed. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** What is held back, U+FFFD for an unfinished character: for a generation that ended otherwise. Call it once. */
  end(): string {
    if (this.#stopped) return "";
    const text = this.#add(this.#detokenizer.end());
    if (this.#stopped) return text;
    this.#stopped = this.#found < Number.POSITIVE_INFINITY;
    return text + this.#give(Math.min(this.#found, this.#length));
  }

  #add(text: string): string {
    if (this.#stops.length === 0 || text === "") return text;
    this.#held += text;
    let candidate = this.#length; // where the earliest beginning of a stop text that is still open begins
    for (let i = 0; i < text.length; i++) {
      candidate = this.#read(text.charCodeAt(i));
      if (this.#found > candidate) continue;
      this.#stopped = true;
      return this.#give(this.#found);
    }
    return this.#give(candidate);
  }

  /** Goes on by a UTF-16 unit; gives the place from which the text could still be a stop text's beginning. */
  #read(unit: number): number {
    this.#length++;
    let longest = 0;
    for (const stop of this.#stops) {
      const { text, borders } = stop;
      let matched = stop.matched;
      while (matched > 0 && text.charCodeAt(matched) !== unit) matched = borders[matched - 1] as number;
      if (text.charCodeAt(matched) === unit) matched++;
      if (matched === text.length) {
        this.#found = Math.min(this.#found, this.#length - matched);
        matched = borders[matched - 1] as number;
      }
      stop.matched = matched;
      if (matched > longest) longest = matched;
    }
    return this.#length - longest;
  }

  /** Gives out what is held up to `place` in the text. */
  #give(place: number): string {
    const given = this.#held.slice(0, place - this.#start);
    this.#held = this.#held.slice(given.length);
    this.#start = place;
    return given;
  }
}

function checkStop(text: string, place: number): void {
  const asked = `text ${place}`;
  if (text === "") throw InputError.at("stop", `${asked} is empty; leave it out for none`);
  if (text.length > longestStop) {
    throw InputError.at("stop", `${asked} has ${text.length} UTF-16 units; it can have at most ${longestStop}`);
  }
  if (/\p{Surrogate}/u.test(text)) {
    throw InputError.at("stop", `${asked}, ${JSON.stringify(text)}, has half a character, which no text has`);
  }
}

function bordersOf(text: string): Uint16Array {
  const borders = new Uint16Array(text.length);
  for (let i = 1, matched = 0; i < text.length; i++) {
    while (matched > 0 && text[matched] !== text[i]) matched = borders[matched - 1] as number;
    if (text[matched] === text[i]) matched++;
    borders[i] = matched;
  }
  return borders;
}
