// Amounts of memory as options take them. Apart from memory-size.ts, which the page has without what checks options.

import { z } from "zod";
import { memorySize } from "./memory-size.ts";

/** Bytes, or a text such as "256MB". */
export const memoryAmount = z.union([z.string(), z.number()]);

/** The bytes of such an amount. @throws InputError if it is none. */
export function bytesOf(amount: z.output<typeof memoryAmount>): number {
  return typeof amount === "number" ? amount : memorySize(amount);
}
