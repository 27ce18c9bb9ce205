// How every operation is written as ONNX nodes, one row each: opset 21, and ONNX Runtime's own operators where they
// were measured faster on CPU (FusedMatMul, SimplifiedLayerNormalization, RotaryEmbedding, MatMulNBits).

import { type Dim, sameDim } from "../graph/dim.ts";
import type { ComputedOp } from "../graph/op.ts";
import { quantizedBlock } from "../graph/ops.ts";
import type { Node, Shape, Value } from "../graph/value.ts";
import type { DType } from "../tensor/dtype.ts";

/** What an ONNX attribute can hold here; integers stay apart from floats. */
export type OnnxAttribute = { int: number } | { float: number } | { ints: readonly number[] } | { string: string };

/** Where a lowering writes its nodes. */
export interface Emitter {
  /** The ONNX name of a value. */
  name(value: Value): string;
  /** A fresh name for something between two nodes. */
  fresh(): string;
  /** The name of an int64 vector that is part of the model. */
  ints(numbers: readonly number[]): string;
  /** The name of an int64 vector with the sizes of `shape` at run time. */
  sizes(shape: Shape): string;
  /** The name of a float32 scalar that is part of the model. */
  float(number: number): string;
  /** Writes a node. */
  emit(
    opType: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes?: Record<string, OnnxAttribute>,
    domain?: string,
  ): void;
}

/** Writes a node's operation. */
export type Lowering<N extends ComputedOp> = (node: Node<N>, to: Emitter) => void;

/** ONNX's TensorProto.DataType. */
export const dataTypes: Readonly<Record<DType, number>> = {
  float32: 1,
  float16: 10,
  bfloat16: 16,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
};

/** The domain of ONNX Runtime's own operators. */
export const microsoft = "com.microsoft";

function plain(opType: string): Lowering<ComputedOp> {
  return ({ inputs, outputs }, to) => to.emit(opType, inputs.map(to.name), outputs.map(to.name));
}

function reduction(opType: string): Lowering<"sum" | "max"> {
  return ({ inputs, outputs, attributes: { axes, keepDims } }, to) =>
    to.emit(opType, [...inputs.map(to.name), to.ints(axes)], outputs.map(to.name), {
      keepdims: { int: Number(keepDims) },
    });
}

/** A lowering for every operation. */
export type Lowerings = { readonly [N in ComputedOp]: Lowering<N> };

/** Those that ONNX Runtime is given. */
export const lowerings: Lowerings = {
  add: plain("Add"),
  sub: plain("Sub"),
  mul: plain("Mul"),
  div: plain("Div"),
  min: plain("Min"),
  neg: plain("Neg"),
  abs: plain("Abs"),
  round: plain("Round"),
  exp: plain("Exp"),
  log: plain("Log"),
  sqrt: plain("Sqrt"),
  sigmoid: plain("Sigmoid"),
  silu: ({ inputs: [x], outputs }, to) => {
    const sigmoid = to.fresh();
    to.emit("Sigmoid", [to.name(x)], [sigmoid]);
    to.emit("Mul", [to.name(x), sigmoid], outputs.map(to.name));
  },
  cast: ({ inputs: [x], outputs, attributes }, to) => {
    const { op, inputs } = x.node;
    const names = outputs.map(to.name);
    if (op === "round" && (attributes.to === "int8" || attributes.to === "uint8")) {
      // One pass rounds, casts and keeps within the type's range.
      const zero = { int: dataTypes[attributes.to] };
      return to.emit("QuantizeLinear", [to.name(inputs[0]), to.float(1)], names, { output_dtype: zero });
    }
    to.emit("Cast", [to.name(x)], names, { to: { int: dataTypes[attributes.to] } });
  },
  // x + 0·(an element of signal): a dependency that no optimiser can see through.
  after: ({ inputs: [x, signal], outputs }, to) => {
    const [flat, element, nothing] = [to.fresh(), to.fresh(), to.fresh()];
    to.emit("Reshape", [to.name(signal), to.ints([-1])], [flat]);
    to.emit("Slice", [flat, to.ints([0]), to.ints([1]), to.ints([0])], [element]);
    to.emit("Mul", [element, to.float(0)], [nothing]);
    const isScalar = x.shape.length === 0; // a sum with [1] would be a vector
    const zero = isScalar ? to.fresh() : nothing;
    if (isScalar) to.emit("Reshape", [nothing, to.ints([])], [zero]);
    to.emit("Add", [to.name(x), zero], outputs.map(to.name));
  },

  matmul: ({ inputs, outputs, attributes: { transA, transB, alpha } }, to) => {
    const names = inputs.map(to.name);
    if (!transA && !transB && alpha === 1) return to.emit("MatMul", names, outputs.map(to.name));
    const attributes = {
      transA: { int: Number(transA) },
      transB: { int: Number(transB) },
      alpha: { float: alpha },
    };
    to.emit("FusedMatMul", names, outputs.map(to.name), attributes, microsoft);
  },

  integerMatmul: plain("MatMulInteger"),
  // accuracy_level 4 multiplies in 8 bits; without it the product of 8-bit codes takes 50 times as long (1.30).
  quantizedMatmul: ({ inputs, outputs, attributes: { bits } }, to) => {
    const [x, codes] = inputs;
    to.emit(
      "MatMulNBits",
      inputs.map(to.name),
      outputs.map(to.name),
      {
        K: { int: fixed(x.shape.at(-1) as Dim) },
        N: { int: fixed(codes.shape[0] as Dim) },
        bits: { int: bits },
        block_size: { int: quantizedBlock },
        accuracy_level: { int: 4 },
      },
      microsoft,
    );
  },

  reshape: ({ inputs: [x], outputs, attributes: { shape } }, to) =>
    to.emit("Reshape", [to.name(x), target(shape, x.shape, to)], outputs.map(to.name)),
  transpose: ({ inputs, outputs, attributes: { perm } }, to) =>
    to.emit("Transpose", inputs.map(to.name), outputs.map(to.name), { perm: { ints: perm } }),
  expand: ({ inputs: [x], outputs, attributes: { shape } }, to) =>
    to.emit("Expand", [to.name(x), to.ints(shape.map(fixed))], outputs.map(to.name)),
  concat: ({ inputs, outputs, attributes: { axis } }, to) =>
    to.emit("Concat", inputs.map(to.name), outputs.map(to.name), { axis: { int: axis } }),
  slice: ({ inputs: [x], outputs, attributes: { axis, start, end } }, to) =>
    to.emit("Slice", [to.name(x), to.ints([start]), to.ints([end]), to.ints([axis])], outputs.map(to.name)),
  pad: ({ inputs: [x], outputs, attributes: { axis, before, after } }, to) =>
    to.emit("Pad", [to.name(x), to.ints([before, after]), "", to.ints([axis])], outputs.map(to.name)),

  sum: reduction("ReduceSum"),
  max: reduction("ReduceMax"),
  sumSquares: ({ inputs, outputs }, to) =>
    to.emit("ReduceSumSquare", inputs.map(to.name), outputs.map(to.name), { keepdims: { int: 0 } }),

  softmax: plain("Softmax"),
  logSumExp: ({ inputs, outputs }, to) =>
    to.emit("ReduceLogSumExp", [...inputs.map(to.name), to.ints([-1])], outputs.map(to.name), { keepdims: { int: 0 } }),
  rmsNorm: ({ inputs, outputs, attributes: { epsilon } }, to) =>
    to.emit("SimplifiedLayerNormalization", inputs.map(to.name), outputs.map(to.name), {
      axis: { int: -1 },
      epsilon: { float: epsilon },
      stash_type: { int: 1 },
    }),
  softmaxWeighted: ({ inputs: [scores, values], outputs: [out, weights] }, to) => {
    to.emit("Softmax", [to.name(scores)], [to.name(weights)]);
    to.emit("MatMul", [to.name(weights), to.name(values)], [to.name(out)]);
  },

  causalAttention: unwritable,
  causalAttentionGrad: unwritable,

  rotary: plain2("RotaryEmbedding"),

  gather: plain("Gather"),
  // ScatterND(reduction=add) loses updates with several threads (ONNX Runtime 1.30); ScatterElements does not.
  scatterAdd: ({ inputs: [table, indices, rows], outputs }, to) => {
    const [column, spread] = [to.fresh(), to.fresh()];
    to.emit("Reshape", [to.name(indices), to.ints([-1, 1])], [column]);
    to.emit("Expand", [column, to.ints(rows.shape.map(fixed))], [spread]);
    to.emit("ScatterElements", [to.name(table), spread, to.name(rows)], outputs.map(to.name), {
      axis: { int: 0 },
      reduction: { string: "add" },
    });
  },
  pick: ({ inputs: [x, indices], outputs }, to) => {
    const [column, found] = [to.fresh(), to.fresh()];
    to.emit("Reshape", [to.name(indices), to.ints([-1, 1])], [column]);
    to.emit("GatherElements", [to.name(x), column], [found], { axis: { int: 1 } });
    to.emit("Reshape", [found, to.ints([-1])], outputs.map(to.name));
  },
  pickAdd: ({ inputs: [x, indices, amounts], outputs }, to) => {
    const [column, added] = [to.fresh(), to.fresh()];
    to.emit("Reshape", [to.name(indices), to.ints([-1, 1])], [column]);
    to.emit("Reshape", [to.name(amounts), to.ints([-1, 1])], [added]);
    to.emit("ScatterElements", [to.name(x), column, added], outputs.map(to.name), {
      axis: { int: 1 },
      reduction: { string: "add" },
    });
  },
};

function plain2(opType: string): Lowering<ComputedOp> {
  return ({ inputs, outputs }, to) => to.emit(opType, inputs.map(to.name), outputs.map(to.name), {}, microsoft);
}

function unwritable({ op }: Node): never {
  throw new TypeError(`onnx: ${op} is for devices with a kernel for it; here attention is written out in blocks`);
}

function fixed(dim: Dim): number {
  if (typeof dim === "number") return dim;
  throw new TypeError(`onnx: dimension ${dim} must be fixed here`);
}

// ONNX's Reshape: 0 copies the dimension at the same place, −1 stands for the one that remains. What remains beside a
// copied dimension cannot be told where that is 0, so there all sizes are computed.
function target(shape: Shape, from: Shape, to: Emitter): string {
  const numbers = shape.map((dim, axis) => (typeof dim === "number" ? dim : sameDim(dim, from[axis] ?? 1) ? 0 : -1));
  const remaining = numbers.filter((number) => number === -1).length;
  return remaining > 1 || (remaining === 1 && numbers.includes(0)) ? to.sizes(shape) : to.ints(numbers);
}
