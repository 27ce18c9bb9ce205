// Rotary position embedding (RoPE, arXiv 2104.09864) in the half-split form that Llama uses.

import { value } from "../trace.ts";
import { describe, type Value } from "../value.ts";

/**
 * Rotates every head of `x [B, T, heads·D]` by the angle of its position: with (a, b) the halves of a head,
 * (a·cos − b·sin, b·cos + a·sin). `positions [B, T]` (int64) selects rows of `cos` and `sin`, both `[P, D/2]`.
 */
export function rotary(x: Value, positions: Value, cos: Value, sin: Value): Value {
  if (x.shape.length !== 3) throw new TypeError(`rotary: needs [B, T, heads·D], found ${describe(x)}`);
  return value("rotary", [x, positions, cos, sin], {}, x);
}
