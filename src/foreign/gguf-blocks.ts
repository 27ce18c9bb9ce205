// How llama.cpp keeps numbers in GGUF files: plain floats, and blocks of 32 with scales (ggml-common.h, ggml-quants.c).

import type { StoredType } from "../checkpoint/safetensors-header.ts";
import { fromFloat16 } from "../tensor/half.ts";

/** A type of tensors in GGUF files. */
export interface GgufType {
  readonly name: string;
  /** Elements of a block, and its bytes. */
  readonly elements: number;
  readonly bytes: number;
  /** What it is given as. */
  readonly stored: StoredType;
  /** Writes the numbers of the block that begins at byte `at` to `out` from `to` on; absent where bytes are given as they are. */
  readonly restore?: (bytes: Uint8Array, at: number, out: Float32Array, to: number) => void;
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

/** The types that are read, by ggml's numbers. */
export const ggufTypes: Readonly<Record<number, GgufType>> = {
  0: { name: "F32", elements: 1, bytes: 4, stored: "F32" },
  1: { name: "F16", elements: 1, bytes: 2, stored: "F16" },
  30: { name: "BF16", elements: 1, bytes: 2, stored: "BF16" },
  2: {
    ...{ name: "Q4_0", elements: 32, bytes: 18, stored: "F32" },
    restore: (bytes, at, out, to) => {
      const scale = half(bytes, at);
      for (let code = 0; code < 16; code++) numbers[code] = scale * (code - 8);
      restoreNibbles(bytes, at + 2, out, to);
    },
  },
  3: {
    ...{ name: "Q4_1", elements: 32, bytes: 20, stored: "F32" },
    restore: (bytes, at, out, to) => {
      const [scale, least] = [half(bytes, at), half(bytes, at + 2)];
      for (let code = 0; code < 16; code++) numbers[code] = scale * code + least;
      restoreNibbles(bytes, at + 4, out, to);
    },
  },
  8: {
    ...{ name: "Q8_0", elements: 32, bytes: 34, stored: "F32" },
    restore: (bytes, at, out, to) => {
      const scale = half(bytes, at);
      for (let i = 0; i < 32; i++) out[to + i] = scale * (((bytes[at + 2 + i] as number) << 24) >> 24);
    },
  },
};

/** The numbers of whole blocks as float32. */
export function restoreBlocks(
  { elements, bytes: size, restore }: GgufType,
  bytes: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  if (!restore) return bytes;
  const count = bytes.length / size;
  const out = new Float32Array(count * elements);
  for (let block = 0; block < count; block++) restore(bytes, block * size, out, block * elements);
  return new Uint8Array(out.buffer);
}
