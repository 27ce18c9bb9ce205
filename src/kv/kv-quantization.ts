// Keys and values in 8 bits: one float16 scale per token and KV head, symmetric about 0. Also how queries and softmax
// weights are rounded to meet them, so that attention multiplies integers. Knows nothing of where rows are kept.

import { abs, add, cast, div, integerMatmul, max, mul, reshape, round } from "../graph/ops.ts";
import { constant, float } from "../graph/trace.ts";
import type { Dim, Value } from "../graph/value.ts";

/** Rows as they are kept: `codes [N, G, D]` (int8) times `scales [N, G, 1]` (float16). */
export interface QuantizedRows {
  readonly codes: Value;
  readonly scales: Value;
  /** What the codes stand for, float32 `[N, G·D]`: everybody, the row's own token included, attends to these. */
  readonly restored: Value;
}

/** Added to every scale: the least normal float16, so that no scale loses precision and none is 0. */
const leastScale = 2 ** -14;

/** Rounds keys or values `[N, G·D]` to 8 bits; the error is at most half a step, max|x|/127 + 2⁻¹⁴ per head. */
export function quantizeRows(x: Value, kvHeads: number, headDim: number): QuantizedRows {
  const heads = reshape(x, [x.shape[0] as Dim, kvHeads, headDim]);
  const largest = max(abs(heads), [-1], true); // [N, G, 1]
  const scales = cast(add(mul(largest, float(1 / 127)), float(leastScale)), "float16");
  const steps = cast(scales, "float32");
  const codes = cast(round(div(heads, steps)), "int8");
  return { codes, scales, restored: reshape(mul(cast(codes, "float32"), steps), x.shape) };
}

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
