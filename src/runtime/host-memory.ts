// How much memory this process may still take.

import { freemem } from "node:os";

/** Bytes: the machine's free memory, or what a container's limit leaves. */
export function freeHostBytes(): number {
  const limit = process.constrainedMemory?.() || Number.POSITIVE_INFINITY;
  const free = process.availableMemory?.() ?? freemem();
  return Math.min(free, limit - process.memoryUsage().rss);
}
