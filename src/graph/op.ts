// The table of operations: every name with what it reads, what it gives and its attributes. Gradient rules, lowerings,
// plain JavaScript and the tests' float64 interpreter are records over these names, so an operation that misses one of
// them does not compile.

import type { DType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Dim } from "./dim.ts";

/** A row: the values an operation reads, those it gives, and what is fixed when it is written. */
interface Op<Operands extends readonly unknown[], Results extends readonly unknown[], Attributes = None> {
  operands: Readonly<Operands>;
  results: Readonly<Results>;
  attributes: Attributes;
}

type None = Readonly<Record<never, never>>;

/** The rows, where a `V` stands for a value. */
interface OpTable<V> {
  /** A tensor given when the graph runs, or bound when it is compiled. */
  input: Op<[], [given: V], { name: string }>;
  constant: Op<[], [tensor: V], { tensor: Tensor }>;

  add: Op<[a: V, b: V], [V]>;
  sub: Op<[a: V, b: V], [V]>;
  mul: Op<[a: V, b: V], [V]>;
  div: Op<[a: V, b: V], [V]>;
  min: Op<[a: V, b: V], [V]>;
  neg: Op<[x: V], [V]>;
  abs: Op<[x: V], [V]>;
  /** To the nearest whole number, halves to the even one. */
  round: Op<[x: V], [V]>;
  exp: Op<[x: V], [V]>;
  log: Op<[x: V], [V]>;
  sqrt: Op<[x: V], [V]>;
  sigmoid: Op<[x: V], [V]>;
  silu: Op<[x: V], [V]>;
  cast: Op<[x: V], [V], { to: DType }>;
  /** `x`, unchanged, but not before `signal` is there: keeps recomputation late. */
  after: Op<[x: V, signal: V], [V]>;

  /** alpha · op(a) · op(b) over the last two axes; leading axes are batch. Its sums, and so its result, may be of a wider dtype. */
  matmul: Op<[a: V, b: V], [V], { transA: boolean; transB: boolean; alpha: number }>;
  integerMatmul: Op<[a: V, b: V, zero: V], [V]>;
  /** x · wᵀ, w in blocks of `bits` bits a number. */
  quantizedMatmul: Op<[x: V, codes: V, scales: V], [V], { bits: 4 | 8 }>;

  reshape: Op<[x: V], [V], { shape: readonly Dim[] }>;
  transpose: Op<[x: V], [V], { perm: readonly number[] }>;
  expand: Op<[x: V], [V], { shape: readonly Dim[] }>;
  concat: Op<[first: V, ...more: V[]], [V], { axis: number }>;
  slice: Op<[x: V], [V], { axis: number; start: number; end: number }>;
  pad: Op<[x: V], [V], { axis: number; before: number; after: number }>;

  sum: Op<[x: V], [V], { axes: readonly number[]; keepDims: boolean }>;
  max: Op<[x: V], [V], { axes: readonly number[]; keepDims: boolean }>;
  sumSquares: Op<[x: V], [V]>;

  softmax: Op<[x: V], [V]>;
  logSumExp: Op<[x: V], [V]>;
  rmsNorm: Op<[x: V, scale: V], [normed: V, reciprocal: V], { epsilon: number }>;
  softmaxWeighted: Op<[scores: V, values: V], [mixed: V, weights: V]>;

  /** Attention of every token to itself and those before it; `scale` multiplies the scores. */
  causalAttention: Op<[queries: V, keys: V, values: V], [mixed: V, statistics: V], { scale: number }>;
  causalAttentionGrad: Op<
    [queries: V, keys: V, values: V, mixed: V, statistics: V, gradient: V],
    [queries: V, keys: V, values: V],
    { scale: number }
  >;

  rotary: Op<[x: V, positions: V, cos: V, sin: V], [V]>;

  gather: Op<[table: V, indices: V], [V]>;
  scatterAdd: Op<[table: V, indices: V, rows: V], [V]>;
  pick: Op<[x: V, indices: V], [V]>;
  pickAdd: Op<[x: V, indices: V, amounts: V], [V]>;
}

/** The name of an operation. */
export type OpName = keyof OpTable<unknown>;

/** What is given or fixed: all others are computed. */
export type ComputedOp = Exclude<OpName, "input" | "constant">;

/** Operations on each element of one value. */
export type UnaryOp = "neg" | "abs" | "round" | "exp" | "log" | "sqrt" | "sigmoid" | "silu";

/** Operations on the elements of two values at the same place. */
export type BinaryOp = "add" | "sub" | "mul" | "div" | "min";

/** What operation `N` reads, in order, where a `V` stands for a value. */
export type Operands<N extends OpName, V> = OpTable<V>[N]["operands"];

/** What operation `N` gives, in order, where a `V` stands for a value. */
export type Results<N extends OpName, V> = OpTable<V>[N]["results"];

/** The attributes of operation `N`. */
export type Attributes<N extends OpName> = OpTable<unknown>[N]["attributes"];
