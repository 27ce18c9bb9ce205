// The product with a matrix that is kept in 8 or 4 bits. Made for inference: it has no gradient.

import type { Attributes } from "../op.ts";
import { value } from "../trace.ts";
import { type Dim, describe, sameShape, type Value } from "../value.ts";

/** How many neighbouring numbers of a row can share a scale. */
export type QuantizedBlock = Attributes<"quantizedMatmul">["block"];

/** Bits of a quantised number. */
export type QuantizedBits = Attributes<"quantizedMatmul">["bits"];

/** What blocks of so many bytes hold. */
const blocksOfBytes: Readonly<Record<number, Attributes<"quantizedMatmul">>> = {
  16: { bits: 4, block: 32 },
  32: { bits: 8, block: 32 },
  128: { bits: 8, block: 128 },
};

/**
 * x · wᵀ: `[…, N, K]` and a matrix w `[M, K]` give `[…, N, M]`. The rows of w are kept in blocks, the last of which may
 * be cut short: `codes [M, ⌈K/B⌉, B]` (uint8) in blocks of B = 32 or 128, or `[M, ⌈K/32⌉, 16]` with two numbers to a byte,
 * the earlier in the lower half; `scales [M, ⌈K/B⌉]` (float32). Code c of block b stands for scales[b] · (c − 128), or
 * c − 8 in 4 bits.
 *
 * ONNX Runtime rounds x to 8 bits too, in blocks of its own rows, where codes and scales are bound or constant: that is
 * what makes the product fast. The interpreter and codes that are fed at run time know only the rounding of w.
 */
export function quantizedMatmul(x: Value, codes: Value, scales: Value): Value {
  const operands = [x, codes, scales].map(describe).join(", ");
  const dtypes = [x, codes, scales].map(({ dtype }) => dtype).join();
  if (dtypes !== "float32,uint8,float32" || x.shape.length < 2 || codes.shape.length !== 3) {
    throw new TypeError(`quantizedMatmul: needs float32 rows, uint8 [M, blocks, bytes] and float32, found ${operands}`);
  }
  const [rows, blocks, bytes] = codes.shape as [Dim, Dim, Dim];
  const kind = blocksOfBytes[bytes as number];
  if (!kind) throw new TypeError(`quantizedMatmul: ${bytes} bytes a block in ${operands}`);
  const inner = x.shape.at(-1) as number;
  if (Math.ceil(inner / kind.block) !== blocks || !sameShape(scales.shape, [rows, blocks])) {
    throw new TypeError(`quantizedMatmul: ${inner} meets other blocks of ${kind.block} in ${operands}`);
  }
  return value("quantizedMatmul", [x, codes, scales], kind, { dtype: "float32", shape: x.shape.with(-1, rows) });
}
