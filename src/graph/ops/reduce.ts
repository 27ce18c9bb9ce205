// Operations that fold axes away.

import { value } from "../trace.ts";
import type { Shape, Value } from "../value.ts";
import { reshape } from "./arrange.ts";

function reduction(op: "sum" | "max"): (x: Value, axes: readonly number[], keepDims?: boolean) => Value {
  return (x, axes, keepDims = false) => {
    const sorted = axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis)).sort((a, b) => a - b);
    if (sorted.length === 0) return x;
    const shape = keepDims
      ? x.shape.map((dim, axis) => (sorted.includes(axis) ? 1 : dim))
      : x.shape.filter((_, axis) => !sorted.includes(axis));
    return value(op, [x], { axes: sorted, keepDims }, { dtype: x.dtype, shape });
  };
}

/** The sum over `axes` (negative ones count from the last). */
export const sum = reduction("sum");

/** The maximum over `axes`; has no gradient. */
export const max = reduction("max");

/** Σ x², a scalar. */
export function sumSquares(x: Value): Value {
  return value("sumSquares", [x], {}, { dtype: x.dtype, shape: [] });
}

/** `x` summed down to a shape that broadcasts to its own: the reverse of broadcasting. */
export function sumTo(x: Value, shape: Shape): Value {
  const extra = x.shape.length - shape.length;
  const axes = x.shape.flatMap((dim, axis) => (axis < extra || (shape[axis - extra] === 1 && dim !== 1) ? [axis] : []));
  return reshape(sum(x, axes, true), shape);
}
