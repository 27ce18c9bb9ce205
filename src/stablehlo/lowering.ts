// How every operation is written as StableHLO instructions, one row each. Sums, norms and softmaxes are computed in
// float32 whatever goes in and comes out. Knows nothing of modules.

import type { BinaryOp, OpName, Results, UnaryOp } from "../graph/op.ts";
import { quantizedBlock } from "../graph/ops.ts";
import { fixedShape, type Node, type Value } from "../graph/value.ts";
import { attentionInBlocks, attentionInBlocksGrad } from "./block-attention.ts";
import type { Body, Ref } from "./body.ts";
import { cudnnAttention, cudnnAttentionGrad, cudnnTakes } from "./cudnn-attention.ts";
import type { BatchMesh } from "./sharding.ts";
import { type Type, typesText, typeText } from "./text.ts";

/** What a lowering reads and writes. */
export interface Target {
  readonly body: Body;
  /** The operand that stands for a value. */
  ref(value: Value): Ref;
  /** What computes attention: CUDA's kernel where it can, or products of blocks. */
  readonly attention: "cudnn" | "blocks";
  /** The widest head that the kernel takes. */
  readonly cudnnHead: number;
  /** Where the batch is split over devices, for instructions that the partitioner cannot look into. */
  readonly batchMesh?: BatchMesh;
}

type Lowering<N extends OpName> = (node: Node<N>, to: Target) => Results<N, Ref>;

/** The refs of a node's outputs, whose instructions are written now. */
export function lower<N extends OpName>(node: Node<N>, to: Target): Results<N, Ref> {
  return lowerings[node.op](node, to);
}

const lowerings: { readonly [N in OpName]: Lowering<N> } = {
  input: ({ attributes: { name } }) => {
    throw new TypeError(`stablehlo: input ${name} is an argument`);
  },
  constant: ({ attributes: { tensor } }, { body }) => [body.tensor(tensor)],

  add: binary("add"),
  sub: binary("subtract"),
  mul: binary("multiply"),
  div: binary("divide"),
  min: binary("minimum"),
  neg: unary("negate"),
  abs: unary("abs"),
  round: unary("round_nearest_even"),
  exp: unary("exponential"),
  log: unary("log"),
  sqrt: unary("sqrt"),
  sigmoid: unary("logistic"),
  silu: ({ inputs: [given] }, { body, ref }) => {
    const x = ref(given);
    return [body.binary("multiply", x, body.unary("logistic", x))];
  },
  cast: ({ inputs: [x], attributes: { to } }, { body, ref }) => [body.convert(ref(x), to)],
  after: ({ inputs: [x, signal] }, { body, ref }) => [body.after(ref(x), ref(signal))],

  matmul: ({ inputs: [left, right], outputs: [out], attributes: { transA, transB, alpha } }, { body, ref }) => {
    const product = multiply(body, ref(left), ref(right), transA, transB, typeOf(out));
    return [alpha === 1 ? product : body.with("multiply", product, alpha)];
  },
  integerMatmul: ({ inputs: [left, right, zero], outputs: [out] }, { body, ref }) => {
    const codes = body.convert(ref(left), "int32");
    const point = body.broadcast(body.convert(ref(zero), "int32"), codes.shape);
    const [a, b] = [body.binary("subtract", codes, point), body.convert(ref(right), "int32")];
    return [multiply(body, a, b, false, false, typeOf(out))];
  },
  quantizedMatmul: ({ inputs: [given, codes, scales], outputs: [out], attributes: { bits } }, { body, ref }) => {
    const x = ref(given);
    const numbers = body.convert(unpacked(body, ref(codes), bits), "float32"); // [M, blocks, 32]
    const signed = body.with("subtract", numbers, 2 ** (bits - 1));
    const weights = body.binary("multiply", signed, body.broadcast(ref(scales), numbers.shape, [0, 1]));
    const [rows, blocks] = numbers.shape as readonly [number, number];
    const matrix = body.slice(body.reshape(weights, [rows, blocks * quantizedBlock]), 1, 0, x.shape.at(-1) as number);
    return [multiply(body, x, matrix, false, true, typeOf(out))];
  },

  reshape: ({ inputs: [x], outputs: [out] }, { body, ref }) => [body.reshape(ref(x), typeOf(out).shape)],
  transpose: ({ inputs: [x], attributes: { perm } }, { body, ref }) => [body.transpose(ref(x), perm)],
  expand: ({ inputs: [x], outputs: [out] }, { body, ref }) => [body.broadcast(ref(x), typeOf(out).shape)],
  concat: ({ inputs, attributes: { axis } }, { body, ref }) => [body.concat(refs(inputs, ref), axis)],
  slice: ({ inputs: [x], attributes: { axis, start, end } }, { body, ref }) => [body.slice(ref(x), axis, start, end)],
  pad: ({ inputs: [x], attributes: { axis, before, after } }, { body, ref }) => [body.pad(ref(x), axis, before, after)],

  sum: reduction("add"),
  max: reduction("maximum"),
  sumSquares: ({ inputs: [given], outputs: [out] }, { body, ref }) => {
    const x = body.convert(ref(given), "float32");
    const axes = x.shape.map((_, axis) => axis);
    return [body.convert(body.reduce("add", body.binary("multiply", x, x), axes), typeOf(out).dtype)];
  },

  softmax: ({ inputs: [x], outputs: [out] }, { body, ref }) => [body.convert(softmax(body, ref(x)), typeOf(out).dtype)],
  logSumExp: ({ inputs: [given], outputs: [out] }, { body, ref }) => {
    const x = body.convert(ref(given), "float32");
    const last = x.shape.length - 1;
    const top = body.reduce("maximum", x, [last]);
    const powers = body.unary("exponential", body.binary("subtract", x, overRows(body, top, x)));
    const sum = body.binary("add", top, body.unary("log", body.reduce("add", powers, [last])));
    return [body.convert(sum, typeOf(out).dtype)];
  },
  rmsNorm: ({ inputs: [given, scale], outputs: [out, reciprocal], attributes: { epsilon } }, { body, ref }) => {
    const x = body.convert(ref(given), "float32");
    const last = x.shape.length - 1;
    const squares = body.reduce("add", body.binary("multiply", x, x), [last]);
    const mean = body.with("multiply", squares, 1 / (x.shape[last] as number));
    const inverse = body.unary("rsqrt", body.with("add", mean, epsilon));
    const normal = body.binary("multiply", x, overRows(body, inverse, x));
    const scaled = body.binary("multiply", normal, body.broadcast(body.convert(ref(scale), "float32"), x.shape));
    const kept = body.reshape(inverse, typeOf(reciprocal).shape);
    return [body.convert(scaled, typeOf(out).dtype), body.convert(kept, typeOf(reciprocal).dtype)];
  },
  softmaxWeighted: ({ inputs: [scores, given], outputs: [out, kept] }, { body, ref }) => {
    const values = ref(given);
    const weights = softmax(body, ref(scores));
    return [
      multiply(body, body.convert(weights, values.dtype), values, false, false, typeOf(out)),
      body.convert(weights, typeOf(kept).dtype),
    ];
  },

  causalAttention: ({ inputs, attributes: { scale } }, { body, ref, attention, cudnnHead, batchMesh }) => {
    const [q, k, v] = refs(inputs, ref);
    if (attention === "cudnn" && cudnnTakes(q, cudnnHead)) return cudnnAttention(body, [q, k, v], scale, batchMesh);
    return attentionInBlocks(body, [q, k, v], scale);
  },
  causalAttentionGrad: ({ inputs, attributes: { scale } }, { body, ref, attention, cudnnHead, batchMesh }) => {
    const [q, k, v, out, statistics, gradient] = refs(inputs, ref);
    const kept = { out, statistics, gradient };
    if (attention === "cudnn" && cudnnTakes(q, cudnnHead))
      return cudnnAttentionGrad(body, [q, k, v], kept, scale, batchMesh);
    return attentionInBlocksGrad(body, [q, k, v], kept, scale);
  },

  rotary: ({ inputs: [given, positions, cosines, sines] }, { body, ref }) => {
    const x = ref(given);
    const [batch, length, width] = x.shape as [number, number, number];
    const half = cosines.shape[1] as number;
    const heads = body.reshape(x, [batch, length, width / (2 * half), 2 * half]);
    const [a, b] = [body.slice(heads, 3, 0, half), body.slice(heads, 3, half, 2 * half)];
    const turn = (table: Value) => {
      const rows = fromZero(positions)
        ? body.broadcast(body.slice(ref(table), 0, 0, length), a.shape, [1, 3])
        : body.broadcast(gatherRows(body, ref(table), ref(positions)), a.shape, [0, 1, 3]);
      return body.convert(rows, x.dtype);
    };
    const [cos, sin] = [turn(cosines), turn(sines)];
    const turned = body.concat(
      [
        body.binary("subtract", body.binary("multiply", a, cos), body.binary("multiply", b, sin)),
        body.binary("add", body.binary("multiply", b, cos), body.binary("multiply", a, sin)),
      ],
      3,
    );
    return [body.reshape(turned, x.shape)];
  },

  gather: ({ inputs: [table, indices] }, { body, ref }) => [gatherRows(body, ref(table), ref(indices))],
  scatterAdd: ({ inputs, outputs: [out] }, { body, ref }) => {
    const operands = refs(inputs, ref);
    const windows = operands[2].shape.map((_, axis) => axis).slice(1);
    const numbers = `#stablehlo.scatter<update_window_dims = [${windows.join(", ")}], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>`;
    const element = typeText({ ...typeOf(out), shape: [] });
    const sum = `({
^bb0(%.old: ${element}, %.more: ${element}):
  %.sum = stablehlo.add %.old, %.more : ${element}
  stablehlo.return %.sum : ${element}
})`;
    const flags = "indices_are_sorted = false, unique_indices = false";
    return [
      body.emit(
        `"stablehlo.scatter"(${operands.map(({ name }) => name).join(", ")}) <{scatter_dimension_numbers = ${numbers}, ${flags}}> ${sum} : ${typesText(operands)} -> ${typeText(operands[0])}`,
        operands[0],
      ),
    ];
  },
  // Compared with every column: this costs a reader of the row nothing more, and a writer no pass of its own.
  pick: ({ inputs: [given, indices] }, { body, ref }) => {
    const x = ref(given);
    const found = body.select(chosen(body, x, ref(indices)), x, body.full(0, x));
    return [body.reduce("add", found, [1])];
  },
  pickAdd: ({ inputs: [given, indices, amounts] }, { body, ref }) => {
    const x = ref(given);
    const added = body.binary("add", x, body.broadcast(ref(amounts), x.shape, [0]));
    return [body.select(chosen(body, x, ref(indices)), added, x)];
  },
};

function unary(op: Parameters<Body["unary"]>[0]) {
  return ({ inputs: [x] }: Node<UnaryOp>, { body, ref }: Target): readonly [Ref] => [body.unary(op, ref(x))];
}

function binary(op: Parameters<Body["binary"]>[0]) {
  return ({ inputs: [a, b], outputs: [out] }: Node<BinaryOp>, { body, ref }: Target): readonly [Ref] => {
    const { shape } = typeOf(out);
    return [body.binary(op, body.broadcast(ref(a), shape), body.broadcast(ref(b), shape))];
  };
}

function reduction(op: "add" | "maximum") {
  return ({ inputs: [x], outputs: [out], attributes }: Node<"sum" | "max">, { body, ref }: Target): readonly [Ref] => [
    body.reshape(body.reduce(op, ref(x), attributes.axes), typeOf(out).shape),
  ];
}

/** What stands for each of several values. */
function refs<T extends readonly Value[]>(values: T, ref: Target["ref"]): { readonly [I in keyof T]: Ref } {
  return values.map((value) => ref(value)) as { readonly [I in keyof T]: Ref };
}

/** The type of a value whose dimensions are all numbers. */
function typeOf({ dtype, shape, node }: Value): Type {
  return { dtype, shape: fixedShape(shape, `stablehlo: ${node.op}`) };
}

/** The product over the last two axes; leading ones broadcast. */
function multiply(body: Body, a: Ref, b: Ref, transA: boolean, transB: boolean, { dtype, shape }: Type): Ref {
  if (b.dtype === "float32" && b.shape.length === 2 && shape.at(-1) === 1 && !transA) {
    return timesColumn(body, a, b, shape);
  }
  const sums = (x: Ref, first: boolean) => [x.shape.length - (first ? 2 : 1)];
  if (b.shape.length === 2 && !(transA && a.shape.length > 2)) {
    return body.dot(a, b, { contracting: [sums(a, transA), sums(b, !transB)] }, dtype);
  }
  const batch = shape.slice(0, -2);
  const axes = batch.map((_, axis) => axis);
  const [left, right] = [a, b].map((x) => body.broadcast(x, [...batch, ...x.shape.slice(-2)])) as [Ref, Ref];
  return body.dot(
    left,
    right,
    { batching: [axes, axes], contracting: [sums(left, transA), sums(right, !transB)] },
    dtype,
  );
}

/** The product with one column: a weighted sum of each row, which joins what is computed around it. */
function timesColumn(body: Body, a: Ref, column: Ref, shape: readonly number[]): Ref {
  const weights = body.broadcast(body.reshape(column, a.shape.slice(-1)), a.shape);
  return body.reshape(body.reduce("add", body.binary("multiply", a, weights), [a.shape.length - 1]), shape);
}

/** Whole numbers of `bits` bits in a byte each: the earlier of two lies in the lower half. */
function unpacked(body: Body, codes: Ref, bits: 4 | 8): Ref {
  if (bits === 8) return codes;
  const halves = [body.with("and", codes, 15), body.with("shift_right_logical", codes, 4)];
  const [rows, blocks, bytes] = codes.shape as readonly [number, number, number];
  const columns = halves.map((half) => body.reshape(half, [rows, blocks, bytes, 1]));
  return body.reshape(body.concat(columns, 3), [rows, blocks, 2 * bytes]);
}

function softmax(body: Body, scores: Ref): Ref {
  const x = body.convert(scores, "float32");
  const last = x.shape.length - 1;
  const top = overRows(body, body.reduce("maximum", x, [last]), x);
  const powers = body.unary("exponential", body.binary("subtract", x, top));
  return body.binary("divide", powers, overRows(body, body.reduce("add", powers, [last]), x));
}

/** A number for each row, in every element of the row. */
function overRows(body: Body, numbers: Ref, rows: Ref): Ref {
  return body.broadcast(
    numbers,
    rows.shape,
    numbers.shape.map((_, axis) => axis),
  );
}

/** Rows of `table [V, …]` at `indices […]`. */
function gatherRows(body: Body, table: Ref, indices: Ref): Ref {
  const rank = indices.shape.length;
  const type = { dtype: table.dtype, shape: [...indices.shape, ...table.shape.slice(1)] };
  const offsets = type.shape.map((_, axis) => axis).slice(rank);
  const numbers = `#stablehlo.gather<offset_dims = [${offsets.join(", ")}], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = ${rank}>`;
  const sizes = `array<i64: ${[1, ...table.shape.slice(1)].join(", ")}>`;
  return body.emit(
    `"stablehlo.gather"(${table.name}, ${indices.name}) <{dimension_numbers = ${numbers}, slice_sizes = ${sizes}, indices_are_sorted = false}> : ${typesText([table, indices])} -> ${typeText(type)}`,
    type,
  );
}

/** True at column `indices[n]` of row n of `x [N, V]`. */
function chosen(body: Body, x: Ref, indices: Ref): Ref {
  return body.compare("EQ", body.iota(x.shape, 1, indices.dtype), body.broadcast(indices, x.shape, [0]));
}

/** True of constant positions that are 0, 1, 2 … in every sequence: their rows of a table are its first ones. */
function fromZero({ node, shape }: Value): boolean {
  if (node.op !== "constant") return false;
  const { data } = node.attributes.tensor;
  const length = shape[1] as number;
  return Array.from(data as BigInt64Array).every((position, i) => Number(position) === i % length);
}
