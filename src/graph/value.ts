// Computations as data: a value is one output of a node, a node is one operation on values. Both are immutable.
// Knows shapes and dtypes; knows nothing of how an operation is computed, differentiated or written as ONNX.

import type { DType } from "../tensor/dtype.ts";
import { type Dim, sameDim } from "./dim.ts";
import type { Attributes, Operands, OpName, Results } from "./op.ts";

export type { Dim } from "./dim.ts";

/** Dimensions, outermost first; `[]` is a scalar. */
export type Shape = readonly Dim[];

/** What is known of a value before it is computed. */
export interface Type {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** One output of a node. */
export interface Value extends Type {
  readonly node: Node;
  /** Which of the node's outputs this is. */
  readonly index: number;
}

/** A value that is given when a graph runs. */
export interface Input extends Value {
  readonly node: Node<"input">;
}

/** A node of operation `N`, or of any of several. */
export type Node<N extends OpName = OpName> = { readonly [M in N]: NodeOf<M> }[N];

/** A node of one operation: its name, what it reads and its fixed attributes. */
export interface NodeOf<N extends OpName> {
  readonly op: N;
  readonly inputs: Operands<N, Value>;
  readonly attributes: Attributes<N>;
  readonly outputs: Results<N, Value>;
  /** The part of the model that made it, as in `layers.3`; empty outside every scope. */
  readonly scope: string;
  /** Position in its trace; a node's inputs have smaller ones. */
  readonly id: number;
}

/** The type as the printer and the errors write it: `float32[2, T, 64]`. */
export function describe(type: Type): string {
  return `${type.dtype}[${type.shape.join(", ")}]`;
}

/** The output shape of a broadcasting operation (numpy's rule; a named dimension only meets itself or 1). */
export function broadcastShapes(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (y === 1 || sameDim(x, y)) return x;
    if (x === 1) return y;
    throw new TypeError(`cannot broadcast [${a.join(", ")}] with [${b.join(", ")}]: ${x} meets ${y}`);
  });
}

/** True where two shapes agree in every dimension. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => sameDim(dim, b[i] as Dim));
}

/** A shape whose every dimension is a number; throws a TypeError naming `what` where one is not. */
export function fixedShape(shape: Shape, what: string): readonly number[] {
  if (shape.some((dim) => typeof dim !== "number")) {
    throw new TypeError(`${what}: needs fixed dimensions, found [${shape.join(", ")}]`);
  }
  return shape as readonly number[];
}
