// Weights that Python and TypeScript make alike from a tensor's name: exact in every float type from bfloat16 up.

import { sizeOf } from "../../../src/tensor/tensor.ts";

/** Numbers of 7 bits: norms near 1, all else in ±0.25 (see weights.py, its twin). */
export function fill(name: string, shape: readonly number[]): Float32Array {
  let seed = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) seed = Math.imul(seed ^ byte, 0x01000193) >>> 0;
  const isNorm = shape.length === 1 && name.endsWith("weight");
  return Float32Array.from({ length: sizeOf(shape) }, (_, i) => {
    let x = (Math.imul(i, 0x9e3779b9) + seed) >>> 0;
    x ^= x >>> 16;
    x = Math.imul(x, 0x21f0aaad);
    x ^= x >>> 15;
    x = Math.imul(x, 0x735a2d97);
    x ^= x >>> 15;
    const signed = (x & 127) - 64;
    return isNorm ? 1 + signed / 128 : signed / 256;
  });
}
