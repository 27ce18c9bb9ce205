// The product with a matrix that is kept in 8 or 4 bits. Made for inference: it has no gradient.

import type { Attributes } from "../op.ts";
import { value } from "../trace.ts";
import { type Dim, describe, sameShape, type Value } from "../value.ts";

/** How many neighbouring numbers of a row share a scale. */
export const quantizedBlock = 32;

/** Bits of a quantised number. */
export type QuantizedBits = Attributes<"quantizedMatmul">["bits"];

/**
 * x · wᵀ: `[…, N, K]` and a matrix w `[M, K]` give `[…, N, M]`. The rows of w are kept in blocks, the last of which may
 * be cut short: `codes [M, ⌈K/32⌉, 32]` (uint8), or `[M, ⌈K/32⌉, 16]` with two numbers to a byte, the earlier in the
 * lower half; `scales [M, ⌈K/32⌉]` (float32). Code c of block b stands for scales[b] · (c − 128), or c − 8 in 4 bits.
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
  const inner = x.shape.at(-1) as number;
  if (Math.ceil(inner / quantizedBlock) !== blocks || !sameShape(scales.shape, [rows, blocks])) {
    throw new TypeError(`quantizedMatmul: ${inner} meets other blocks of ${quantizedBlock} in ${operands}`);
  }
  if (bytes !== 16 && bytes !== 32) throw new TypeError(`quantizedMatmul: ${bytes} bytes a block in ${operands}`);
  const bits: QuantizedBits = bytes === 16 ? 4 : 8;
  return value("quantizedMatmul", [x, codes, scales], { bits }, { dtype: "float32", shape: x.shape.with(-1, rows) });
}
