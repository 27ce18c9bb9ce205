// Amounts of memory as people write them.

import { InputError } from "../error.ts";

const units: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** Bytes of a text such as `256MB` (10⁶) or `1.5GiB` (2³⁰). @throws InputError if it is none. */
export function memorySize(text: string): number {
  const [, digits, unit = ""] = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?b?)\s*$/i.exec(text) ?? [];
  const size = units[unit.toLowerCase()] ?? units[`${unit.toLowerCase()}b`];
  const bytes = Math.floor(Number(digits) * (size ?? Number.NaN));
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw new InputError(`memory: found "${text}"; expected an amount such as 256MB, 1.5GiB or 1000000`);
}
