// Which documents are held out. The answer depends on the document alone, so it is the same in every run, order and
// machine, and a copy of a document is never on both sides.

import { createHash } from "node:crypto";
import { InputError } from "../error.ts";

/** Where `document` falls in [0, 1): uniform over documents, by sha256. */
export function splitPoint(document: string): number {
  return createHash("sha256").update(document).digest().readUIntBE(0, 6) / 2 ** 48;
}

/** Whether `document` is held out for validation, as about `fraction` of all documents are. */
export function isValidation(document: string, fraction = 0.05): boolean {
  return splitPoint(document) < checkFraction(fraction);
}

/** Throws InputError where `fraction` is not a number in [0, 1]. */
export function checkFraction(fraction: number): number {
  if (fraction >= 0 && fraction <= 1) return fraction;
  throw new InputError(`validation fraction: ${fraction} given; it must be a number from 0 to 1`);
}

/** Divides documents, and remembers what fractions would leave none on one side. */
export class Sides {
  readonly #name: string;
  readonly #fraction: number;
  #documents = 0;
  #least = 1;
  #most = 0;

  constructor(name: string, fraction: number) {
    this.#name = name;
    this.#fraction = checkFraction(fraction);
  }

  isValidation(document: string): boolean {
    const point = splitPoint(document);
    this.#documents++;
    this.#least = Math.min(this.#least, point);
    this.#most = Math.max(this.#most, point);
    return point < this.#fraction;
  }

  /** Throws InputError where all documents seen are on one side. */
  check(): void {
    if (this.#documents > 0 && this.#least < this.#fraction && this.#fraction <= this.#most) return;
    const empty = this.#least < this.#fraction ? "training" : "validation";
    // The fractions that do are above the least point and at most the most.
    const least = Math.floor(this.#least * 1000 + 1) / 1000;
    const most = Math.floor(this.#most * 1000) / 1000;
    const right =
      this.#least >= this.#most
        ? "give at least two different documents, such as several files or lines of a .jsonl"
        : least <= most
          ? `use one from ${least} to ${most}`
          : `use ${this.#most}`;
    throw new InputError(
      `source: "${this.#name}": a validation fraction of ${this.#fraction} leaves none of ${this.#documents} documents for ${empty}; ${right}`,
    );
  }
}
