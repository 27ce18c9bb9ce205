// Blocks of the KV cache: what one takes and how many fit. The engine allocates by these numbers and the planner reports
// them, so they agree exactly.

import { InputError } from "../error.ts";
import { type KvShape, kvBytesPerToken } from "../model/cost.ts";
import type { KvFormat } from "../model/formats.ts";

/** Tokens of a block, unless another size is chosen. */
export const blockSize = 128;

/** Bytes of one block: `size` tokens of all owners. */
export function kvBlockBytes(shape: KvShape, dtype: KvFormat, size: number = blockSize): number {
  return size * kvBytesPerToken(shape, dtype);
}

/** Whole blocks that fit in `memory` bytes; 0 if none does. */
export function fittingBlocks(shape: KvShape, dtype: KvFormat, memory: number, size: number = blockSize): number {
  return Math.max(0, Math.floor(memory / kvBlockBytes(shape, dtype, size)));
}

/** Whole blocks that fit in `memory` bytes. @throws InputError, with the numbers, if none does. */
export function kvBlocks(shape: KvShape, dtype: KvFormat, memory: number, size: number = blockSize): number {
  const blocks = fittingBlocks(shape, dtype, memory, size);
  if (blocks >= 1) return blocks;
  throw new InputError(
    `KV memory: ${Math.floor(memory)} bytes do not hold one block of ${size} tokens, which takes ${kvBlockBytes(shape, dtype, size)} bytes`,
  );
}

/** Sequences of `context` tokens that `blocks` blocks hold at one time. */
export function sequencesThatFit(blocks: number, context: number, size: number = blockSize): number {
  return Math.floor(blocks / Math.ceil(context / size));
}

/** Tokens that each of `batch` sequences can have in `blocks` blocks. */
export function longestContext(blocks: number, batch: number, size: number = blockSize): number {
  return Math.floor(blocks / batch) * size;
}
