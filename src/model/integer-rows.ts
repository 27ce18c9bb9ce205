// Rows that are rounded to whole numbers as they are multiplied, a scale for each, so that a product adds up integers,
// exactly and in any order.

import { abs, add, cast, div, integerMatmul, max, mul, round } from "../graph/ops.ts";
import { constant, float } from "../graph/trace.ts";
import type { Value } from "../graph/value.ts";

/** Rows of integers `codes` (uint8, 0 stands at `zero`) times `scales`, one per row. */
export interface IntegerRows {
  readonly codes: Value;
  readonly scales: Value;
  readonly zero: Value;
}

/**
 * How finely the left operands of integer products are rounded. "full" uses all 8 bits; "reduced" 7, for processors
 * where sums of two products saturate at 16 bits (those without VNNI).
 */
export type Rounding = "full" | "reduced";

const point = (code: number) => constant({ dtype: "uint8", shape: [], data: Uint8Array.of(code) });

/** Rounds rows of either sign, about 128 (64 if reduced): `[…, D]`. */
export function signedRows(x: Value, rounding: Rounding): IntegerRows {
  const most = rounding === "full" ? 127 : 63;
  const scales = add(mul(max(abs(x), [-1], true), float(1 / most)), float(1e-30));
  const codes = cast(round(add(div(x, scales), float(most + 1))), "uint8");
  return { codes, scales, zero: point(most + 1) };
}

/** Rounds rows of non-negative numbers whose largest is above 0, `[…, S]`: code c stands for c · largest · step. */
export function positiveRows(x: Value, rounding: Rounding) {
  const most = rounding === "full" ? 255 : 127;
  const largest = max(x, [-1], true);
  const codes = cast(round(mul(x, div(float(most), largest))), "uint8");
  return { codes, largest, step: float(1 / most), zero: point(0) };
}

/** rows · codes in float32: `[…, M, K] × int8 […, K, N]`; the right side's scales are still missing. */
export function integerProduct({ codes, scales, zero }: IntegerRows, right: Value): Value {
  return mul(cast(integerMatmul(codes, right, zero), "float32"), scales);
}
