// Numbers as options take them. Each parser throws what commander shows with the option's name.

import { InvalidArgumentError } from "commander";
import { memorySize } from "../plan/memory-size.ts";

/** A whole number from `least` to `most`. */
export function whole(least: number, most: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isInteger(value) && value >= least && value <= most) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `${least} to ${most}`;
    const any = least === Number.MIN_SAFE_INTEGER && most === Number.MAX_SAFE_INTEGER;
    throw new InvalidArgumentError(any ? "It must be a whole number." : `It must be a whole number, ${range}.`);
  };
}

/** A number above `above` and at most `most`. */
export function between(above: number, most = Number.MAX_VALUE): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && value > above && value <= most) return value;
    const range = most === Number.MAX_VALUE ? `above ${above}` : `above ${above} and at most ${most}`;
    throw new InvalidArgumentError(`It must be a number ${range}.`);
  };
}

/** A number from `least` to `most`. */
export function from(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a number from ${least} to ${most}.`);
  };
}

/** A count with an optional K, M or B (thousands, millions, billions), as in `10M`. */
export function count(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kmb])?$/i.exec(text.trim());
  const scale = { k: 1e3, m: 1e6, b: 1e9 }[(match?.[2] ?? "").toLowerCase()] ?? 1;
  const value = Math.round(Number(match?.[1]) * scale);
  if (match && value >= 1) return value;
  throw new InvalidArgumentError("It must be a count such as 500000, 500K, 10M or 1.5B.");
}

/** Whole numbers from `least` between commas, as in `8,16,24`. */
export function wholes(least: number): (text: string) => number[] {
  return (text) => text.split(",").map(whole(least));
}

/** Bytes of an amount of memory: `24GB`, `256MB` (10⁹, 10⁶), `1.5GiB` (2³⁰). */
export function size(text: string): number {
  try {
    return memorySize(text);
  } catch {
    throw new InvalidArgumentError("It must be an amount of memory such as 24GB, 256MB (decimal) or 1.5GiB (binary).");
  }
}

/** A part of something, from 0 and below 1, or an amount of memory. */
export function partOrSize(text: string): number {
  const value = Number(text);
  return text.trim() !== "" && value >= 0 && value < 1 ? value : size(text);
}
