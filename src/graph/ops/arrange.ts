// Operations that move elements and compute none.

import { type Dim, sameDim, times } from "../dim.ts";
import { value } from "../trace.ts";
import { describe, type Shape, sameShape, type Value } from "../value.ts";

/** The same elements in another shape; the product of its dimensions must be the same term. */
export function reshape(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const [from, to] = [times(...x.shape), times(...shape)];
  if (!sameDim(from, to)) {
    throw new TypeError(`reshape: ${describe(x)} has ${from} elements, [${shape.join(", ")}] ${to}`);
  }
  if (x.node.op === "reshape") return reshape(x.node.inputs[0], shape); // the step between changes nothing
  return value("reshape", [x], { shape }, { dtype: x.dtype, shape });
}

/** Axes in the order `perm`: output axis i is input axis `perm[i]`. */
export function transpose(x: Value, perm: readonly number[]): Value {
  if (perm.length !== x.shape.length || perm.some((_, i) => !perm.includes(i))) {
    throw new TypeError(`transpose: [${perm}] is no order of the axes of ${describe(x)}`);
  }
  if (perm.every((axis, i) => axis === i)) return x;
  return value("transpose", [x], { perm }, { dtype: x.dtype, shape: perm.map((axis) => x.shape[axis] as Dim) });
}

/** `x` repeated to `shape` by numpy's rule. */
export function expand(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  return value("expand", [x], { shape }, { dtype: x.dtype, shape });
}

/** The parts one after another along `axis`; a named dimension there gives `dim`, the name of the sum. */
export function concat(parts: readonly Value[], axis: number, dim?: Dim): Value {
  const [first, ...more] = parts;
  if (!first) throw new TypeError("concat: no parts");
  if (parts.length === 1) return first;
  const lengths = parts.map((part) => part.shape[axis] as Dim);
  const total = lengths.every((length) => typeof length === "number")
    ? (lengths as number[]).reduce((sum, length) => sum + length, 0)
    : dim;
  if (total === undefined) throw new TypeError(`concat: [${lengths.join(", ")}] along axis ${axis} needs a name`);
  for (const part of parts) {
    if (!sameShape(part.shape.toSpliced(axis, 1), first.shape.toSpliced(axis, 1))) {
      throw new TypeError(`concat: ${describe(part)} does not join ${describe(first)} along axis ${axis}`);
    }
  }
  return value("concat", [first, ...more], { axis }, { dtype: first.dtype, shape: first.shape.with(axis, total) });
}

/** Elements `start` … `end` − 1 of a fixed `axis`. */
export function slice(x: Value, axis: number, start: number, end: number): Value {
  const length = x.shape[axis];
  if (typeof length !== "number" || start < 0 || end > length || start >= end) {
    throw new TypeError(`slice: ${start}…${end} of axis ${axis} of ${describe(x)}`);
  }
  if (start === 0 && end === length) return x;
  return value("slice", [x], { axis, start, end }, { dtype: x.dtype, shape: x.shape.with(axis, end - start) });
}

/** `x` with zeros before and after it along a fixed `axis`. */
export function pad(x: Value, axis: number, before: number, after: number): Value {
  if (before === 0 && after === 0) return x;
  const shape = x.shape.with(axis, before + (x.shape[axis] as number) + after);
  return value("pad", [x], { axis, before, after }, { dtype: x.dtype, shape });
}
