// Operations on each element alone; two operands broadcast as in numpy.

import { type DType, isFloat } from "../../tensor/dtype.ts";
import { tensorOf } from "../../tensor/tensor.ts";
import type { BinaryOp, UnaryOp } from "../op.ts";
import { constant, value } from "../trace.ts";
import { broadcastShapes, describe, type Value } from "../value.ts";

/** One side of a binary operation: a value, or a plain number in the other side's dtype. */
export type Operand = Value | number;

interface BinaryOperation {
  (a: Value, b: Operand): Value;
  (a: number, b: Value): Value;
}

function binary(op: BinaryOp): BinaryOperation {
  return (...operands: [Operand, Operand]) => {
    const beside = operands.find((operand) => typeof operand !== "number") as Value;
    const [a, b] = operands.map((operand) =>
      typeof operand === "number" ? scalar(beside.dtype, operand, op) : operand,
    ) as [Value, Value];
    if (a.dtype !== b.dtype) throw new TypeError(`${op}: ${describe(a)} and ${describe(b)} differ in dtype`);
    return value(op, [a, b], {}, { dtype: a.dtype, shape: broadcastShapes(a.shape, b.shape) });
  };
}

function scalar(dtype: DType, number: number, op: BinaryOp): Value {
  if (isFloat(dtype)) return constant(tensorOf(dtype, [], [number]));
  throw new TypeError(`${op}: the number ${number} stands beside ${dtype}; only floats take plain numbers`);
}

function unary(op: UnaryOp): (x: Value) => Value {
  return (x) => value(op, [x], {}, x);
}

export const add = binary("add");
export const sub = binary("sub");
export const mul = binary("mul");
export const div = binary("div");
/** The smaller of two, element by element. */
export const min = binary("min");

export const neg = unary("neg");
export const abs = unary("abs");
/** To the nearest whole number, halves to the even one. */
export const round = unary("round");
export const exp = unary("exp");
export const log = unary("log");
export const sqrt = unary("sqrt");
/** 1 / (1 + e⁻ˣ). */
export const sigmoid = unary("sigmoid");
/** x · sigmoid(x), also called swish. */
export const silu = unary("silu");

/** The same numbers in another dtype. */
export function cast(x: Value, to: DType): Value {
  return x.dtype === to ? x : value("cast", [x], { to }, { dtype: to, shape: x.shape });
}

/** `x`, but computed no earlier than `signal`: what is built on it is executed late, however early `x` is known. */
export function after(x: Value, signal: Value): Value {
  return value("after", [x, signal], {}, x);
}
