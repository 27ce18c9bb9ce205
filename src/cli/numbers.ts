// Numbers as options take them. Each parser throws what commander shows with the option's name.

import { InvalidArgumentError } from "commander";

/** A whole number from `least` to `most`. */
export function whole(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isInteger(value) && value >= least && value <= most) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `${least} to ${most}`;
    throw new InvalidArgumentError(`It must be a whole number, ${range}.`);
  };
}

/** A number above `above` and at most `most`. */
export function between(above: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && value > above && value <= most) return value;
    throw new InvalidArgumentError(`It must be a number above ${above} and at most ${most}.`);
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
