// Uses of every operation that a runtime is judged by, against the float64 interpreter. A new operation without cases
// does not compile.

import { gradient } from "../../src/autodiff/gradient.ts";
import { times } from "../../src/graph/dim.ts";
import {
  abs,
  add,
  after,
  cast,
  causalAttention,
  concat,
  div,
  exp,
  expand,
  gather,
  integerMatmul,
  log,
  logSumExp,
  matmul,
  max,
  min,
  mul,
  neg,
  pad,
  pick,
  pickAdd,
  type QuantizedBits,
  quantizedBlock,
  quantizedMatmul,
  reshape,
  rmsNorm,
  rotary,
  round,
  scatterAdd,
  sigmoid,
  silu,
  slice,
  softmax,
  softmaxWeighted,
  sqrt,
  sub,
  sum,
  sumSquares,
  transpose,
} from "../../src/graph/ops.ts";
import { inputName } from "../../src/graph/replaced.ts";
import { specialize } from "../../src/graph/specialize.ts";
import { constant, float, type Graph, trace } from "../../src/graph/trace.ts";
import type { Value } from "../../src/graph/value.ts";
import { type Device, putAll, readAll } from "../../src/runtime/device.ts";
import { allocate, type DType } from "../../src/tensor/dtype.ts";
import { Random } from "../../src/tensor/random.ts";
import { sizeOf, type Tensors } from "../../src/tensor/tensor.ts";
import { interpret } from "../graph/interpreter.ts";
import { type Case, type Cases, RandomInputs } from "../graph/random-inputs.ts";

const broadcasting = (op: (a: Value, b: Value) => Value): Cases["add"] => ({
  "equal shapes": (g) => op(g.normal([3, 4]), g.positive([3, 4])),
  "a row": (g) => op(g.normal([2, 3, 4]), g.positive([4])),
  "a row on the left": (g) => op(g.normal([4]), g.positive([2, 3, 4])),
  "column meets row": (g) => op(g.normal([3, 1]), g.positive([1, 4])),
  "a scalar": (g) => op(g.normal([5]), g.positive([])),
  scalars: (g) => op(g.normal([]), g.positive([])),
  "a constant": (g) => op(g.normal([2, 3]), float([0.5, 2, 3])),
  int64: (g) => op(g.exactly("int64", [4], [-7, 7, 9, 0]), g.exactly("int64", [4], [2, -2, 3, 5])),
  int32: (g) => op(g.exactly("int32", [4], [-7, 7, 9, 0]), g.exactly("int32", [], [2])),
  "a named dimension": (g) => op(g.normal(["N", 3], { N: 5 }), g.positive([3])),
});

const elementwise = (op: (x: Value) => Value, positive = false): Cases["exp"] => ({
  "a scalar": (g) => op(g.positive([])),
  "three axes": (g) => op(positive ? g.positive([2, 3, 5]) : g.normal([2, 3, 5], { scale: 3 })),
  "a named dimension": (g) => op(add(g.positive([7]), mul(g.normal(["N", 7], { N: 2 }), float(0)))),
  "no elements": (g) => op(g.normal(["N", 3], { N: 0 })),
});

const zero = (point: number) => constant({ dtype: "uint8", shape: [], data: Uint8Array.of(point) });

const extremes = (g: RandomInputs) => g.exactly("float32", [8], [-1000, -100, -20, 0, 1e-8, 20, 100, 1000]);
const minusInfinity = Number.NEGATIVE_INFINITY;

/** Products with constant matrices; of whole numbers, so that ONNX Runtime's rounding of the left side is exact. */
function quantizedProducts(bits: QuantizedBits): Cases["quantizedMatmul"] {
  const product = (x: Value, rows: number) => {
    const random = new Random(rows);
    const shape = [rows, Math.ceil((x.shape.at(-1) as number) / quantizedBlock)];
    const codes = Uint8Array.from({ length: 4 * bits * sizeOf(shape) }, () => random.below(256));
    const scales = Float32Array.from({ length: sizeOf(shape) }, () => random.normal());
    return quantizedMatmul(
      x,
      constant({ dtype: "uint8", shape: [...shape, 4 * bits], data: codes }),
      constant({ dtype: "float32", shape, data: scales }),
    );
  };
  return {
    [`${bits} bits`]: (g) => product(g.whole([3, 64]), 5),
    [`${bits} bits, a block cut short`]: (g) =>
      [1, 8, 12, 31, 33, 48, 63, 65, 100].map((inner) => product(g.whole([3, inner]), 7)),
    [`${bits} bits, few and many rows`]: (g) =>
      [1, 2, 3, 4, 5, 16, 17, 40].flatMap((rows) => [1, 3, 16, 33].map((of) => product(g.whole([rows, 96]), of))),
    [`${bits} bits, large and odd`]: (g) => product(g.whole([130, 1067]), 259),
    [`${bits} bits, a batch`]: (g) => product(g.whole([2, 3, 40]), 4),
    [`${bits} bits, a named count`]: (g) => product(g.whole(["N", 40], { N: 6 }), 4),
    [`${bits} bits, no rows`]: (g) => product(g.whole(["N", 40], { N: 0 }), 4),
    [`${bits} bits, zeros`]: (g) => product(mul(g.whole([3, 40]), float(0)), 4),
  };
}

const attentions = (
  op: (q: Value, k: Value, v: Value, g: RandomInputs) => readonly Value[],
): Cases["causalAttention"] => {
  const use =
    (batch: number, length: number, heads: number, groups: number, width: number): Case =>
    (g) => {
      const [k, v] = [g.normal([batch, length, groups, width]), g.normal([batch, length, groups, width])];
      return op(g.normal([batch, length, heads, width]), k, v, g);
    };
  return {
    MHA: use(2, 5, 3, 3, 4),
    GQA: use(2, 5, 4, 2, 6),
    MQA: use(2, 7, 4, 1, 8),
    "one token": use(2, 1, 2, 1, 4),
    "several blocks of queries": use(1, 530, 2, 1, 4),
  };
};

const reductions = (op: (x: Value, axes: readonly number[], keepDims?: boolean) => Value): Cases["sum"] => ({
  "the last axis": (g) => op(g.normal([2, 3, 4]), [-1]),
  "the first axis, kept": (g) => op(g.normal([2, 3, 4]), [0], true),
  "two axes": (g) => op(g.normal([2, 3, 4]), [0, 2]),
  "two axes, kept, in another order": (g) => op(g.normal([2, 3, 4]), [2, 1], true),
  "all axes": (g) => op(g.normal([2, 3]), [0, 1]),
  "a named axis": (g) => op(g.normal(["N", 3], { N: 6 }), [0]),
});

/** Begins the names of cases whose sums of two products go beyond 16 bits. */
export const wholeBytes = "whole bytes, ";

function integerProducts(name: string, bits: number): Record<string, Case> {
  return {
    [`${name}a batch`]: (g) =>
      integerMatmul(g.bytes([2, 3, 5, 8], { bits }), g.signed([2, 3, 8, 7]), zero(2 ** (bits - 1))),
    [`${name}no zero point`]: (g) => integerMatmul(g.bytes([5, 64], { bits }), g.signed([64, 33]), zero(0)),
    [`${name}a named count`]: (g) =>
      integerMatmul(g.bytes(["N", 1, 8], { bits, N: 3 }), g.signed(["N", 8, 4], { N: 3 }), zero(2 ** (bits - 1))),
    [`${name}nothing`]: (g) =>
      integerMatmul(g.bytes(["N", 1, 8], { bits, N: 0 }), g.signed(["N", 8, 4], { N: 0 }), zero(2 ** (bits - 1))),
  };
}

/** The uses, by operation and by what they try. */
export const cases: Cases = {
  input: {
    "straight to an output": (g) => g.normal([2, 3]),
    "to two outputs": (g) => {
      const x = g.normal([2]);
      return [x, x];
    },
    int64: (g) => g.indices([4], 100, "int64"),
    "no elements": (g) => g.normal(["N", 3], { N: 0 }),
  },
  constant: {
    "straight to an output": () => float([1, -2, 3.5]),
    "of every dtype": () =>
      (["float32", "int32", "int64", "uint8", "int8", "bool"] satisfies DType[]).map((dtype) => {
        const data = allocate(dtype, 2);
        data[1] = (dtype === "int64" ? 1n : 1) as never;
        return constant({ dtype, shape: [2], data });
      }),
    "a view into a larger buffer": () =>
      constant({ dtype: "float32", shape: [2], data: Float32Array.of(1, 2, 3, 4).subarray(1, 3) }),
    "minus infinity": (g) => add(g.normal([2]), float([0, minusInfinity])),
  },

  add: broadcasting(add),
  sub: broadcasting(sub),
  mul: broadcasting(mul),
  div: { ...broadcasting(div), "by zero": (g) => div(g.exactly("float32", [2], [1, -1]), float(0)) },
  min: broadcasting(min),
  neg: { ...elementwise(neg), int64: (g) => neg(g.indices([3], 9, "int64")) },
  abs: { ...elementwise(abs), int32: (g) => abs(g.exactly("int32", [3], [-3, 0, 4])) },
  round: { "halves and others": (g) => round(g.exactly("float32", [8], [-2.5, -1.5, -0.5, 0.5, 1.5, 2.4, 2.6, -7.2])) },
  exp: { ...elementwise(exp), extremes: (g) => exp(g.exactly("float32", [6], [-1000, -20, 0, 20, 80, 1000])) },
  log: { ...elementwise(log, true), zero: (g) => log(g.exactly("float32", [1], [0])) },
  sqrt: { ...elementwise(sqrt, true), zero: (g) => sqrt(g.exactly("float32", [1], [0])) },
  sigmoid: { ...elementwise(sigmoid), extremes: (g) => sigmoid(extremes(g)) },
  silu: { ...elementwise(silu), extremes: (g) => silu(extremes(g)) },
  cast: {
    "to integers, towards zero": (g) => [
      cast(g.exactly("float32", [4], [-1.7, -0.2, 0.9, 2.5]), "int32"),
      cast(g.exactly("float32", [4], [-1.7, -0.2, 0.9, 2.5]), "int64"),
      cast(g.exactly("float32", [3], [0.2, 0.9, 200.5]), "uint8"),
    ],
    "to float16 and back": (g) =>
      cast(cast(g.exactly("float32", [7], [0, 1, 1.0004, -3.3, 1e-6, 65504, 0.3333]), "float16"), "float32"),
    "to bool": (g) => cast(g.exactly("float32", [3], [0, 0.5, -1]), "bool"),
    "from integers": (g) => [
      cast(g.indices([2, 3], 1000), "float32"),
      cast(g.indices([2, 3], 1000, "int64"), "float32"),
      cast(g.exactly("int8", [2], [-128, 127]), "float32"),
      cast(g.exactly("uint8", [2], [0, 255]), "float32"),
      cast(g.exactly("bool", [2], [0, 1]), "float32"),
      cast(g.indices([3], 1000, "int64"), "int32"),
    ],
  },
  after: {
    "a matrix": (g) => after(g.normal([2, 3]), g.normal([4, 5])),
    "a scalar signal": (g) => after(g.normal([2, 3]), g.normal([])),
    "a scalar": (g) => after(g.normal([]), g.normal([3])),
  },

  matmul: {
    plain: (g) => matmul(g.normal([3, 4]), g.normal([4, 5])),
    "a transposed": (g) => matmul(g.normal([4, 3]), g.normal([4, 5]), { transA: true }),
    "b transposed": (g) => matmul(g.normal([3, 4]), g.normal([5, 4]), { transB: true }),
    "both transposed, scaled": (g) =>
      matmul(g.normal([4, 3]), g.normal([5, 4]), { transA: true, transB: true, alpha: 0.25 }),
    scaled: (g) => matmul(g.normal([3, 4]), g.normal([4, 5]), { alpha: -2 }),
    batches: (g) => matmul(g.normal([2, 3, 4, 5]), g.normal([2, 3, 5, 6])),
    "batches, b transposed": (g) => matmul(g.normal([2, 3, 4, 5]), g.normal([2, 3, 6, 5]), { transB: true, alpha: 3 }),
    "batches, a transposed": (g) => matmul(g.normal([2, 3, 5, 4]), g.normal([2, 3, 5, 6]), { transA: true }),
    "batches that broadcast": (g) => matmul(g.normal([2, 1, 4, 5]), g.normal([3, 5, 6])),
    "batches that broadcast, transposed": (g) =>
      matmul(g.normal([2, 1, 5, 4]), g.normal([3, 6, 5]), { transA: true, transB: true }),
    "a batch times a matrix": (g) => matmul(g.normal([2, 3, 4]), g.normal([4, 5])),
    "a batch times a transposed matrix": (g) => matmul(g.normal([2, 3, 4]), g.normal([5, 4]), { transB: true }),
    "a matrix times a batch": (g) => matmul(g.normal([3, 4]), g.normal([2, 5, 4]), { transB: true }),
    "a column": (g) => matmul(g.normal([6, 4]), g.normal([4, 1]), { alpha: 0.25 }),
    "large and odd": (g) => matmul(g.normal([130, 67]), g.normal([259, 67]), { transB: true }),
    "a named dimension": (g) => matmul(g.normal(["N", 4], { N: 7 }), g.normal([5, 4]), { transB: true }),
    "no rows": (g) => matmul(g.normal(["N", 4], { N: 0 }), g.normal([5, 4]), { transB: true }),
    "no columns": (g) => matmul(g.normal([1, 2, 3, 4]), g.normal([1, 2, "S", 4], { S: 0 }), { transB: true }),
  },

  integerMatmul: {
    ...integerProducts("", 7),
    ...integerProducts(wholeBytes, 8),
  },
  quantizedMatmul: {
    ...quantizedProducts(8),
    ...quantizedProducts(4),
    "fed, not constant": (g) => [
      quantizedMatmul(g.normal([3, 70]), g.bytes([5, 3, 32]), g.normal([5, 3])),
      quantizedMatmul(g.normal([3, 70]), g.bytes([5, 3, 16]), g.normal([5, 3])),
    ],
  },

  reshape: {
    fixed: (g) => reshape(g.normal([2, 6]), [3, 4]),
    "to a scalar": (g) => reshape(g.normal([1, 1]), []),
    "a named dimension stays": (g) => reshape(g.normal(["N", 6], { N: 5 }), ["N", 2, 3]),
    "a named dimension moves": (g) => reshape(g.normal(["N", 6], { N: 5 }), [1, "N", 6]),
    "a named dimension absorbs": (g) => reshape(g.normal(["N", 6], { N: 5 }), [1, times("N", 2), 3]),
    "no elements": (g) => reshape(g.normal(["N", 6], { N: 0 }), [1, "N", 2, 3]),
    integers: (g) => reshape(g.indices([2, 3], 9), [6]),
  },
  transpose: {
    matrix: (g) => transpose(g.normal([2, 3]), [1, 0]),
    "three axes, a cycle": (g) => transpose(g.normal([2, 3, 4]), [1, 2, 0]),
    heads: (g) => transpose(g.normal([2, 5, 3, 4]), [0, 2, 1, 3]),
    "a named dimension": (g) => transpose(g.normal([1, "N", 3, 4], { N: 5 }), [0, 2, 1, 3]),
  },
  expand: {
    "a scalar": (g) => expand(g.normal([]), [2, 3]),
    "a row": (g) => expand(g.normal([3]), [2, 3]),
    "dimensions of one": (g) => expand(g.normal([2, 1, 3, 1]), [2, 4, 3, 2]),
  },
  concat: {
    "the first axis": (g) => concat([g.normal([2, 3]), g.normal([1, 3]), g.normal([4, 3])], 0),
    "the last axis": (g) => concat([g.normal([2, 3]), g.normal([2, 2])], 1),
    between: (g) => concat([g.normal([2, 1, 3]), g.normal([2, 4, 3])], 1),
    "named dimensions": (g) => concat([g.normal([2, "S"], { S: 3 }), g.normal([2, "T"], { T: 2 })], 1, "S+T"),
    "an empty part": (g) => concat([g.normal([2, "S"], { S: 0 }), g.normal([2, "T"], { T: 2 })], 1, "S+T"),
    integers: (g) => concat([g.indices([2], 9), g.indices([3], 9)], 0),
  },
  slice: {
    "the first axis": (g) => slice(g.normal([5, 3]), 0, 1, 4),
    "the last axis": (g) => slice(g.normal([5, 3]), 1, 2, 3),
    between: (g) => slice(g.normal([2, 5, 3]), 1, 0, 2),
    integers: (g) => slice(g.indices([2, 4], 9), 1, 1, 4),
  },
  pad: {
    "before and after": (g) => pad(g.normal([2, 3]), 0, 1, 2),
    "the last axis": (g) => pad(g.normal([2, 3]), 1, 0, 2),
    between: (g) => pad(g.normal([2, 3, 4]), 1, 2, 0),
  },

  sum: reductions(sum),
  max: reductions(max),
  sumSquares: {
    matrix: (g) => sumSquares(g.normal([3, 4])),
    scalar: (g) => sumSquares(g.normal([])),
    large: (g) => sumSquares(g.normal([70, 130])),
  },

  softmax: {
    matrix: (g) => softmax(g.normal([3, 5], { scale: 3 })),
    "four axes": (g) => softmax(g.normal([2, 2, 3, 5])),
    "large scores": (g) => softmax(extremes(g)),
    masked: (g) => softmax(add(g.normal([2, 3]), float([0, minusInfinity, 0]))),
    "all but one masked": (g) => softmax(add(g.normal([2, 3]), float([0, minusInfinity, minusInfinity]))),
    "a named dimension": (g) => softmax(g.normal([2, "S"], { S: 4 })),
  },
  logSumExp: {
    matrix: (g) => logSumExp(g.normal([3, 5], { scale: 3 })),
    "three axes": (g) => logSumExp(g.normal([2, 3, 5])),
    "scores that overflow eˣ": (g) => logSumExp(g.exactly("float32", [2, 2], [1000, 999, 100, 1000])),
    "scores that underflow eˣ": (g) => logSumExp(g.exactly("float32", [2, 2], [-1000, -999, -200, -201])),
    "one column": (g) => logSumExp(g.normal([4, 1])),
  },
  rmsNorm: {
    "with the reciprocal": (g) => rmsNorm(g.normal([3, 8]), g.positive([8]), 1e-5).node.outputs,
    "three axes": (g) => rmsNorm(g.normal([2, 3, 8], { scale: 10 }), g.normal([8]), 1e-5).node.outputs,
    "a large epsilon": (g) => rmsNorm(g.normal([3, 8]), g.positive([8]), 0.5).node.outputs,
    zeros: (g) => rmsNorm(mul(g.normal([3, 8]), float(0)), g.positive([8]), 1e-5).node.outputs,
    "tiny numbers": (g) => rmsNorm(g.normal([3, 8], { scale: 1e-4 }), g.positive([8]), 1e-5).node.outputs,
    "a named dimension": (g) => rmsNorm(g.normal(["N", 8], { N: 2 }), g.positive([8]), 1e-5),
  },
  softmaxWeighted: {
    "with the weights": (g) => softmaxWeighted(g.normal([2, 3, 4]), g.normal([2, 4, 5])).node.outputs,
    "four axes": (g) => softmaxWeighted(g.normal([2, 2, 3, 4]), g.normal([2, 2, 4, 5])),
    masked: (g) => softmaxWeighted(add(g.normal([2, 2]), float([0, minusInfinity])), g.normal([2, 3])).node.outputs,
  },

  causalAttention: attentions((q, k, v) => causalAttention(q, k, v, 0.4).node.outputs),
  causalAttentionGrad: attentions((q, k, v, g) => {
    const out = causalAttention(q, k, v, 0.4);
    return gradient(sum(mul(out, g.normal(out.shape)), [0, 1, 2, 3]), [q, k, v]);
  }),

  rotary: {
    "one head": (g) => rotary(g.normal([2, 3, 4]), g.indices([2, 3], 6, "int64"), g.normal([6, 2]), g.normal([6, 2])),
    "three heads": (g) =>
      rotary(g.normal([2, 3, 12]), g.indices([2, 3], 6, "int64"), g.normal([6, 2]), g.normal([6, 2])),
    "heads of two": (g) =>
      rotary(g.normal([1, 4, 4]), g.indices([1, 4], 6, "int64"), g.normal([6, 1]), g.normal([6, 1])),
    "heads of 32": (g) =>
      rotary(g.normal([2, 5, 128]), g.indices([2, 5], 9, "int64"), g.normal([9, 16]), g.normal([9, 16])),
    "named length": (g) =>
      rotary(
        g.normal([1, "T", 8], { T: 3 }),
        g.indices([1, "T"], 6, "int64", { T: 3 }),
        g.normal([6, 2]),
        g.normal([6, 2]),
      ),
  },

  gather: {
    rows: (g) => gather(g.normal([6, 3]), g.indices([9], 6)),
    "a matrix of rows": (g) => gather(g.normal([6, 3]), g.indices([2, 4], 6)),
    elements: (g) => gather(g.normal([6]), g.indices([4], 6)),
    "a named count": (g) => gather(g.normal([6, 3]), g.indices(["N"], 6, "int32", { N: 3 })),
  },
  scatterAdd: {
    "repeated rows": (g) => scatterAdd(g.normal([4, 3]), g.indices([20], 4), g.normal([20, 3])),
    "one row": (g) => scatterAdd(g.normal([4, 3]), g.indices([1], 4), g.normal([1, 3])),
    "on zeros": (g) => scatterAdd(expand(float(0), [4, 3]), g.indices([6], 4), g.normal([6, 3])),
  },
  pick: {
    "one of each row": (g) => pick(g.normal([5, 7]), g.indices([5], 7)),
    "one column": (g) => pick(g.normal([5, 1]), g.indices([5], 1)),
  },
  pickAdd: {
    "one of each row": (g) => pickAdd(g.normal([5, 7]), g.indices([5], 7), g.normal([5])),
    "on zeros": (g) => pickAdd(expand(float(0), [5, 7]), g.indices([5], 7), g.normal([5])),
  },
};

/** Uses with products of bfloat16, on devices that have it. What goes in is rounded to it; what is added up is not. */
export const bfloat16Cases: Readonly<Record<string, Case>> = {
  "casts there and back": (g) => cast(cast(g.normal([40]), "bfloat16"), "float32"),
  "products added up in float32": (g) =>
    matmul(rounded(g.normal([5, 40])), rounded(g.normal([7, 40])), { transB: true, to: "float32" }),
  "their gradients": (g) => {
    const [a, b] = [g.normal([5, 40]), g.normal([7, 40])];
    const product = matmul(rounded(a), rounded(b), { transB: true, to: "float32" });
    const loss = sum(mul(product, g.normal([5, 7])), [0, 1]);
    return gradient(loss, [a, b]);
  },
  ...Object.fromEntries(
    [1, 2, 4].map((groups): [string, Case] => [
      `attention of 4 heads to ${groups}, and its gradients`,
      (g) => {
        const [q, k, v] = [g.normal([2, 9, 4, 8]), g.normal([2, 9, groups, 8]), g.normal([2, 9, groups, 8])];
        const out = cast(causalAttention(rounded(q), rounded(k), rounded(v), 0.4), "float32");
        return [out, ...gradient(sum(mul(out, g.normal(out.shape)), [0, 1, 2, 3]), [q, k, v])];
      },
    ]),
  ),
};

/** How far products of bfloat16 may be off, relative to the largest of their tensor: two of its steps. */
export const bfloat16Tolerance = 2 ** -7;

const rounded = (x: Value) => cast(x, "bfloat16");

/**
 * How far float32 may be off: no element further than this times the largest of its tensor.
 */
export const tolerance = 1e-5;

/** The graph of a use, its outputs `y0`, `y1` …, with what to feed it in `given.feeds`. */
export function caseGraph(build: Case, given: RandomInputs): Graph {
  return trace(() => Object.fromEntries([build(given)].flat().map((value, i) => [`y${i}`, value as Value])));
}

/** What a device makes of a case, and what it should make of it. */
export async function runCase(
  device: Device,
  build: Case,
): Promise<{ graph: Graph; found: Tensors; expected: ReturnType<typeof interpret> }> {
  const given = new RandomInputs(7);
  const open = caseGraph(build, given);
  const expected = interpret(open, given.feeds);
  const graph = device.traits.shapes === "fixed" ? specialize(open, sizesOf(open, given.feeds)) : open;
  using program = await device.compile(graph);
  return { graph, found: await readAll(await program.run(putAll(device, given.feeds))), expected };
}

/** The sizes of named dimensions, from what is fed. */
function sizesOf(graph: Graph, feeds: Tensors): Record<string, number> {
  const sizes = graph.inputs.flatMap((made) =>
    made.shape.map((dim, axis) => [dim, feeds[inputName(made)]?.shape[axis]] as const),
  );
  return Object.fromEntries(sizes.filter(([dim]) => typeof dim === "string"));
}
