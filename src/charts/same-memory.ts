// One amount of memory for several models, and the blocks that it makes of each: all of as many tokens. Arithmetic alone;
// knows no picture.

/** A model and what a token takes in its cache. */
export interface MemoryRow {
  readonly name: string;
  /** Float32 bytes. */
  readonly kvBytesPerToken: number;
}

/** Blocks that the model of the most bytes per token has. */
const fewestBlocks = 48;

/** Tokens that its memory holds at least. */
const fewestTokens = 512;

const mostBytes = (rows: readonly MemoryRow[]) => Math.max(1, ...rows.map(({ kvBytesPerToken }) => kvBytesPerToken));

/** Memory (bytes) that is easy to say and in which every one of `rows` holds a telling number of tokens. */
export function commonMemory(rows: readonly MemoryRow[]): number {
  return 2 ** Math.ceil(Math.log2(fewestTokens * mostBytes(rows)));
}

/** Blocks that a model of `kvBytesPerToken` has in the memory of `rows`. */
export function blocksOf(kvBytesPerToken: number, rows: readonly MemoryRow[]): number {
  return Math.round((fewestBlocks * mostBytes(rows)) / kvBytesPerToken);
}
