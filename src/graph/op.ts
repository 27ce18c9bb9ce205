// The table of operations: every name with its attributes. The gradient rules, the ONNX lowering and the tests'
// float64 interpreter are records over these names, so an operation that misses one of them does not compile.

import type { DType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Dim } from "./dim.ts";

type None = Readonly<Record<never, never>>;

interface OpTable {
  /** A tensor given when the graph runs, or bound when it is compiled. */
  input: { name: string };
  constant: { tensor: Tensor };

  add: None;
  sub: None;
  mul: None;
  div: None;
  min: None;
  neg: None;
  abs: None;
  /** To the nearest whole number, halves to the even one. */
  round: None;
  exp: None;
  log: None;
  sqrt: None;
  sigmoid: None;
  silu: None;
  cast: { to: DType };
  /** Its first input, unchanged, but not before its second is there: keeps recomputation late. */
  after: None;

  /** alpha · op(a) · op(b) over the last two axes; leading axes are batch. Its sums, and so its result, may be of a wider dtype. */
  matmul: { transA: boolean; transB: boolean; alpha: number };
  integerMatmul: None;
  /** x · wᵀ, w in blocks of `bits` bits a number. */
  quantizedMatmul: { bits: 4 | 8 };

  reshape: { shape: readonly Dim[] };
  transpose: { perm: readonly number[] };
  expand: { shape: readonly Dim[] };
  concat: { axis: number };
  slice: { axis: number; start: number; end: number };
  pad: { axis: number; before: number; after: number };

  sum: { axes: readonly number[]; keepDims: boolean };
  max: { axes: readonly number[]; keepDims: boolean };
  sumSquares: None;

  softmax: None;
  logSumExp: None;
  rmsNorm: { epsilon: number };
  softmaxWeighted: None;

  /** Attention of every token to itself and those before it; `scale` multiplies the scores. */
  causalAttention: { scale: number };
  causalAttentionGrad: { scale: number };

  rotary: None;

  gather: None;
  scatterAdd: None;
  pick: None;
  pickAdd: None;
}

/** The name of an operation. */
export type OpName = keyof OpTable;

/** The attributes of operation `N`. */
export type Attributes<N extends OpName = OpName> = OpTable[N];
