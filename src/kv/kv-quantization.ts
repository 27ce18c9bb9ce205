// Keys and values in 8 bits: one float16 scale per token and KV head, symmetric about 0. Knows nothing of where rows are
// kept, and not what meets them: see `model/integer-rows.ts`.

import { abs, add, cast, div, max, mul, reshape, round } from "../graph/ops.ts";
import { float } from "../graph/trace.ts";
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
