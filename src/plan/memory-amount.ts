// Amounts of memory as options take them. The page uses memory-size.ts alone, so that it need not load the schemas.

import { z } from "zod";
import { InputError } from "../error.ts";
import { memorySize } from "./memory-size.ts";

/** Bytes, or a text such as "256MB". */
export const memoryAmount = z.union([z.string(), z.number()]);

/** The bytes of such an amount. @throws InputError if it is none. */
export function bytesOf(amount: z.output<typeof memoryAmount>): number {
  return typeof amount === "number" ? amount : memorySize(amount);
}

/** Throws InputError where an option asks for more bytes than are free. */
export function checkMemory(option: string, asked: number, free: number): void {
  if (asked <= free) return;
  throw InputError.at(option, `${gigabytes(asked)} asked, ${gigabytes(free)} is free; ask for less, or free some`, {
    shown: `engine: ${option}`,
  });
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
