// Matrix products, over the last two axes of their operands.

import type { DType } from "../../tensor/dtype.ts";
import { type Dim, sameDim } from "../dim.ts";
import { value } from "../trace.ts";
import { broadcastShapes, describe, type Value } from "../value.ts";

/** How the operands of a product are read, and a factor on the result. */
export interface MatmulOptions {
  /** Read `a` with its last two axes swapped. */
  transA?: boolean;
  /** Read `b` with its last two axes swapped. */
  transB?: boolean;
  /** Multiplies the product; costs nothing. */
  alpha?: number;
  /** What products are added up in and given as: the operands' dtype if not said, float32 of bfloat16 operands. */
  to?: DType;
}

/** alpha · a · b: `[…, M, K] × […, K, N] → […, M, N]`; leading axes broadcast. */
export function matmul(a: Value, b: Value, options: MatmulOptions = {}): Value {
  const { transA = false, transB = false, alpha = 1, to = a.dtype } = options;
  if (a.dtype !== b.dtype || (to !== a.dtype && !(a.dtype === "bfloat16" && to === "float32"))) {
    throw new TypeError(`matmul: ${describe(a)} · ${describe(b)} cannot be added up in ${to}`);
  }
  if (a.shape.length < 2 || b.shape.length < 2) {
    throw new TypeError(`matmul: needs two axes or more, found ${describe(a)} and ${describe(b)}`);
  }
  const [m, k] = lastTwo(a, transA);
  const [l, n] = lastTwo(b, transB);
  if (!sameDim(k, l)) {
    throw new TypeError(
      `matmul: ${describe(a)}${transA ? "ᵀ" : ""} · ${describe(b)}${transB ? "ᵀ" : ""}: ${k} meets ${l}`,
    );
  }
  const shape = [...broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n];
  return value("matmul", [a, b], { transA, transB, alpha }, { dtype: to, shape });
}

/**
 * (a − zero) · b in whole numbers: uint8 `[…, M, K]`, int8 `[…, K, N]` and a uint8 scalar give int32 `[…, M, N]`. On
 * processors without VNNI a sum of two neighbouring products beyond 16 bits saturates (ONNX Runtime 1.30).
 */
export function integerMatmul(a: Value, b: Value, zero: Value): Value {
  if (a.dtype !== "uint8" || b.dtype !== "int8" || zero.dtype !== "uint8" || zero.shape.length > 0) {
    throw new TypeError(`integerMatmul: needs uint8, int8 and a uint8 scalar, found ${[a, b, zero].map(describe)}`);
  }
  const [m, k] = lastTwo(a, false);
  const [l, n] = lastTwo(b, false);
  if (!sameDim(k, l)) throw new TypeError(`integerMatmul: ${describe(a)} · ${describe(b)}: ${k} meets ${l}`);
  const shape = [...broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n];
  return value("integerMatmul", [a, b, zero], {}, { dtype: "int32", shape });
}

function lastTwo(x: Value, swapped: boolean): [Dim, Dim] {
  const [rows, columns] = x.shape.slice(-2) as [Dim, Dim];
  return swapped ? [columns, rows] : [rows, columns];
}
