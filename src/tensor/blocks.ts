// Numbers in blocks of 32 with scales, as llama.cpp keeps them (ggml-common.h, ggml-quants.c).

import { fromFloat16 } from "./half.ts";

interface BlockRow {
  /** Elements of a block, and its bytes. */
  readonly elements: number;
  readonly bytes: number;
  /** Writes the numbers of the block that begins at byte `at` to `out` from `to` on. */
  readonly restore: (bytes: Uint8Array, at: number, out: Float32Array, to: number) => void;
}

const half = (bytes: Uint8Array, at: number) => fromFloat16((bytes[at] as number) | ((bytes[at + 1] as number) << 8));

const numbers = new Float32Array(16); // of the block in hand, by code

/** Sixteen bytes of two codes each: the lower halves are the first 16, the upper ones the rest. */
function restoreNibbles(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  for (let i = 0; i < 16; i++) {
    const byte = bytes[at + i] as number;
    out[to + i] = numbers[byte & 15] as number;
    out[to + 16 + i] = numbers[byte >> 4] as number;
  }
}

/** The types of blocks. */
export const blockTypes = {
  Q4_0: {
    ...{ elements: 32, bytes: 18 },
    restore: (bytes, at, out, to) => {
      const scale = half(bytes, at);
      for (let code = 0; code < 16; code++) numbers[code] = scale * (code - 8);
      restoreNibbles(bytes, at + 2, out, to);
    },
  },
  Q4_1: {
    ...{ elements: 32, bytes: 20 },
    restore: (bytes, at, out, to) => {
      const [scale, least] = [half(bytes, at), half(bytes, at + 2)];
      for (let code = 0; code < 16; code++) numbers[code] = scale * code + least;
      restoreNibbles(bytes, at + 4, out, to);
    },
  },
  Q8_0: {
    ...{ elements: 32, bytes: 34 },
    restore: (bytes, at, out, to) => {
      const scale = half(bytes, at);
      for (let i = 0; i < 32; i++) out[to + i] = scale * (((bytes[at + 2 + i] as number) << 24) >> 24);
    },
  },
} as const satisfies Readonly<Record<string, BlockRow>>;

export type BlockType = keyof typeof blockTypes;

/** The numbers of whole blocks. */
export function restoreBlocks(type: BlockType, bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const { elements, bytes: size, restore } = blockTypes[type];
  const count = bytes.length / size;
  const out = new Float32Array(count * elements);
  for (let block = 0; block < count; block++) restore(bytes, block * size, out, block * elements);
  return out;
}
