// Which documents are held out. The answer depends on the document alone, so it is the same in every run, order and
// machine, and a copy of a document is never on both sides. Of a text that is one document, the tail is.

import { createHash } from "node:crypto";
import { InputError } from "../error.ts";

/** Where `document` falls in [0, 1): uniform over documents, by sha256. */
export function splitPoint(document: string): number {
  return createHash("sha256").update(document).digest().readUIntBE(0, 6) / 2 ** 48;
}

/** Whether `document` is held out, as about `fraction` of all documents are for validation and `testFraction` for test. */
export function isHeldOut(document: string, fraction = 0.05, testFraction = 0): boolean {
  const point = splitPoint(document);
  return point < checkFraction(fraction) || point >= 1 - checkFraction(testFraction);
}

/** Throws InputError where `fraction` is not a number in [0, 1]. */
export function checkFraction(fraction: number): number {
  if (fraction >= 0 && fraction <= 1) return fraction;
  throw new InputError(`validation fraction: ${fraction} given; it must be a number from 0 to 1`);
}

/** The parts of a source: what is learnt from, what choices are made by, what is reported and never chosen by. */
export const sides = ["train", "validation", "test"] as const;

/** A part of a source. */
export type Side = (typeof sides)[number];

/** A document, or a part of one, and its side. */
export interface Divided {
  readonly text: string;
  readonly side: Side;
}

/** The shortest text that is divided, in UTF-16 units. */
const shortestDivided = 1000;

/** A text in parts that end at `places` of it, from 0 to 1, or after the next white space; whole if it is short. */
export function parts(text: string, places: readonly number[]): string[] {
  if (text.length < shortestDivided) return [text];
  const ends = [...places.map((place) => afterSpace(text, Math.floor(place * text.length))), text.length];
  return ends.map((end, i) => text.slice(i === 0 ? 0 : ends[i - 1], end));
}

/** The place after the first white space from `place` on; `place` where none is near, but never within a character. */
function afterSpace(text: string, place: number): number {
  const near = /\s/.exec(text.slice(place, place + shortestDivided / 10));
  if (near) return place + near.index + 1;
  return /^[\udc00-\udfff]/.test(text.slice(place, place + 1)) ? place + 1 : place;
}

/** Documents in their order; `isLone` of one that is the only one. */
export async function* markLone(documents: AsyncIterable<string>): AsyncGenerator<{ text: string; isLone: boolean }> {
  let first: string | undefined;
  let count = 0;
  for await (const text of documents) {
    count++;
    if (count === 1) {
      first = text;
      continue;
    }
    if (first !== undefined) yield { text: first, isLone: false };
    first = undefined;
    yield { text, isLone: false };
  }
  if (first !== undefined) yield { text: first, isLone: true };
}

/** Divides documents, and remembers what fractions would leave none on one side. Without a test fraction there are two. */
export class Sides {
  readonly #name: string;
  readonly #fraction: number;
  readonly #testFraction: number;
  #documents = 0;
  #least = 1;
  #most = 0;
  #isCut = false;
  #isTrained = false;

  constructor(name: string, fraction: number, testFraction = 0) {
    this.#name = name;
    this.#fraction = checkFraction(fraction);
    this.#testFraction = checkFraction(testFraction);
  }

  /** Documents in their order, each with its side; of a single one its first part, and the tails that are held out. */
  async *divide(documents: AsyncIterable<string>): AsyncGenerator<Divided> {
    const sided = (text: string): Divided => ({ text, side: this.sideOf(text) });
    let lone: string | undefined;
    for await (const { text, isLone } of markLone(documents)) {
      if (isLone) lone = text;
      else yield sided(text);
    }
    if (lone === undefined) return;
    const [fraction, test] = [this.#fraction, this.#testFraction];
    const pieces = parts(lone, test > 0 ? [1 - fraction - test, 1 - test] : [1 - fraction]);
    this.#isCut = pieces.length > 1 && pieces.every((piece) => piece !== "");
    if (!this.#isCut) {
      yield sided(lone);
      return;
    }
    for (const [i, text] of pieces.entries()) yield { text, side: sides[i] as Side };
  }

  /** By where it falls: the least are for validation, the greatest for test. */
  sideOf(document: string): Side {
    const point = splitPoint(document);
    this.#documents++;
    this.#least = Math.min(this.#least, point);
    this.#most = Math.max(this.#most, point);
    const side = point < this.#fraction ? "validation" : point >= 1 - this.#testFraction ? "test" : "train";
    if (side === "train") this.#isTrained = true;
    return side;
  }

  /** Throws InputError where a side has no document. */
  check(): void {
    if (this.#isCut) return;
    if (this.#documents > 0 && this.#least < this.#fraction && this.#fraction <= this.#most) {
      this.#checkTest();
      return;
    }
    const empty = this.#least < this.#fraction ? "training" : "validation";
    // The fractions that do are above the least point and at most the most.
    const least = Math.floor(this.#least * 1000 + 1) / 1000;
    const most = Math.floor(this.#most * 1000) / 1000;
    const right =
      this.#least >= this.#most
        ? `give at least two different documents, such as several files or lines of a .jsonl, or one of ${shortestDivided} characters or more`
        : least <= most
          ? `use one from ${least} to ${most}`
          : `use ${this.#most}`;
    throw new InputError(
      `source: "${this.#name}": a validation fraction of ${this.#fraction} leaves none of ${this.#documents} documents for ${empty}; ${right}`,
    );
  }

  #checkTest(): void {
    const found = `source: "${this.#name}": a test fraction of ${this.#testFraction}`;
    const lacks = `leaves none of ${this.#documents} documents for`;
    if (this.#testFraction > 0 && this.#most < 1 - this.#testFraction) {
      const least = Math.ceil((1 - this.#most) * 1000) / 1000;
      throw new InputError(`${found} ${lacks} test; use ${least} or more, or 0 for no test side`);
    }
    if (!this.#isTrained) throw new InputError(`${found} ${lacks} training; use a smaller one`);
  }
}
