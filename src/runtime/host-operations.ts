// How the host computes every operation, one row each: plain loops over numbers, no regard for speed.

import type { BinaryOp, ComputedOp, Operands, Results, UnaryOp } from "../graph/op.ts";
import { quantizedBlock } from "../graph/ops.ts";
import type { Node, Shape, Value } from "../graph/value.ts";
import { sizeOf } from "../tensor/tensor.ts";
import { combine, foldRows, generate, map, multiply, type Numbers, placeOf, stridesIn } from "./host-arrays.ts";

/** Computes a node from what it reads; `shapes` are its outputs' sizes. */
type HostOperation<N extends ComputedOp> = (
  node: Node<N>,
  inputs: Operands<N, Numbers>,
  shapes: Results<N, readonly number[]>,
) => Results<N, Numbers>;

/** What a node gives of what it reads, whose numbers are in the order of its inputs. Its dimensions are all numbers. */
export function computeOnHost<N extends ComputedOp>(node: Node<N>, inputs: readonly Numbers[]): readonly Numbers[] {
  const shapes: readonly Shape[] = node.outputs.map(({ shape }: Value) => shape);
  return hostOperations[node.op](node, inputs as Operands<N, Numbers>, shapes as Results<N, readonly number[]>);
}

function unary(f: (x: number) => number) {
  return (_: Node<UnaryOp | "cast">, [x]: readonly [Numbers]): readonly [Numbers] => [map(x, f)];
}

function binary(f: (x: number, y: number) => number) {
  return (_: Node<BinaryOp>, [a, b]: readonly [Numbers, Numbers]): readonly [Numbers] => [combine(a, b, f)];
}

function reduction(start: number, f: (sum: number, x: number) => number): HostOperation<"sum"> & HostOperation<"max"> {
  return ({ attributes: { axes } }: Node<"sum" | "max">, [x], [shape]) => {
    const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
    const data = new Float64Array(sizeOf(kept)).fill(start);
    const strides = stridesIn({ shape: kept, data }, x.shape);
    let place = 0;
    generate(x.shape, (index) => {
      const to = placeOf(index, strides);
      data[to] = f(data[to] as number, x.data[place++] as number);
      return 0;
    });
    return [{ shape, data }];
  };
}

const hostOperations: { readonly [N in ComputedOp]: HostOperation<N> } = {
  add: binary((a, b) => a + b),
  sub: binary((a, b) => a - b),
  mul: binary((a, b) => a * b),
  div: binary((a, b) => a / b),
  min: binary(Math.min),
  neg: unary((x) => -x),
  abs: unary(Math.abs),
  round: unary(roundToEven),
  exp: unary(Math.exp),
  log: unary(Math.log),
  sqrt: unary(Math.sqrt),
  sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  silu: unary((x) => x / (1 + Math.exp(-x))),
  cast: unary((x) => x), // rounded when it is kept
  after: (_, [x]) => [x],

  matmul: ({ attributes }, [a, b]) => [multiply(a, b, attributes)],
  integerMatmul: (_, [a, b, zero]) => [
    multiply(
      map(a, (x) => x - (zero.data[0] as number)),
      b,
    ),
  ],
  quantizedMatmul: ({ attributes: { bits } }, [x, codes, scales]) => {
    const [rows, blocks, bytes] = codes.shape as [number, number, number];
    const [perByte, zero] = [8 / bits, 2 ** (bits - 1)];
    const weights = generate([rows, x.shape.at(-1) as number], ([row, k]) => {
      const block = (row as number) * blocks + Math.floor((k as number) / quantizedBlock);
      const place = (k as number) % quantizedBlock;
      const byte = codes.data[block * bytes + Math.floor(place / perByte)] as number;
      const code = (byte >> (bits * (place % perByte))) & (2 ** bits - 1);
      return (code - zero) * (scales.data[block] as number);
    });
    return [multiply(x, weights, { transB: true })];
  },

  reshape: (_, [x], [shape]) => [{ shape: shape, data: x.data }],
  transpose: ({ attributes: { perm } }, [x], [shape]) => {
    const strides = stridesIn(x, x.shape);
    const turned = perm.map((axis) => strides[axis] as number);
    return [generate(shape, (index) => x.data[placeOf(index, turned)] as number)];
  },
  expand: (_, [x], [shape]) => {
    const strides = stridesIn(x, shape);
    return [generate(shape, (index) => x.data[placeOf(index, strides)] as number)];
  },
  concat: ({ attributes: { axis } }, inputs, [shape]) => {
    const parts = inputs.map((part) => {
      const inner = sizeOf(part.shape.slice(axis)); // elements of one outer index
      return { data: part.data, inner };
    });
    const data = new Float64Array(sizeOf(shape));
    let place = 0;
    const outer = sizeOf(shape.slice(0, axis));
    for (let i = 0; i < outer; i++) {
      for (const part of parts) {
        for (let j = 0; j < part.inner; j++) data[place++] = part.data[i * part.inner + j] as number;
      }
    }
    return [{ shape: shape, data }];
  },
  slice: ({ attributes: { axis, start } }, [x], [shape]) => [shifted(x, shape, axis, start)],
  pad: ({ attributes: { axis, before } }, [x], [shape]) => [shifted(x, shape, axis, -before)],

  sum: reduction(0, (sum, x) => sum + x),
  max: reduction(Number.NEGATIVE_INFINITY, Math.max),
  sumSquares: (_, [x]) => {
    let sum = 0;
    for (const v of x.data) sum += v * v;
    return [{ shape: [], data: Float64Array.of(sum) }];
  },

  softmax: (_, [x]) => [softmax(x)],
  logSumExp: (_, [x]) => [foldRows(x, logSumExp)],
  rmsNorm: ({ attributes: { epsilon } }, [x, scale]) => {
    const width = x.shape.at(-1) as number;
    const { shape, data } = foldRows(
      x,
      (row) => 1 / Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / width + epsilon),
    );
    const reciprocal = { shape: [...shape, 1], data };
    const times = (a: number, b: number) => a * b;
    return [combine(combine(x, reciprocal, times), scale, times), reciprocal];
  },
  softmaxWeighted: (_, [scores, values]) => {
    const weights = softmax(scores);
    return [multiply(weights, values), weights];
  },

  causalAttention: written,
  causalAttentionGrad: written,

  rotary: (_, [x, positions, cos, sin]) => {
    const half = cos.shape[1] as number;
    const width = x.shape[2] as number;
    return [
      generate(x.shape, ([b, t, column]) => {
        const token = (b as number) * (x.shape[1] as number) + (t as number);
        const turn = (positions.data[token] as number) * half + ((column as number) % half);
        const at = (by: number) => x.data[token * width + (column as number) + by] as number;
        const [c, s] = [cos.data[turn] as number, sin.data[turn] as number];
        return (column as number) % (2 * half) < half ? at(0) * c - at(half) * s : at(0) * c + at(-half) * s;
      }),
    ];
  },

  gather: (_, [table, indices], [shape]) => {
    const width = sizeOf(table.shape.slice(1));
    const data = new Float64Array(sizeOf(shape));
    for (let n = 0; n < indices.data.length; n++) {
      for (let i = 0; i < width; i++) {
        data[n * width + i] = table.data[(indices.data[n] as number) * width + i] as number;
      }
    }
    return [{ shape: shape, data }];
  },
  scatterAdd: (_, [table, indices, rows]) => {
    const data = Float64Array.from(table.data);
    const width = sizeOf(table.shape.slice(1));
    for (let n = 0; n < indices.data.length; n++) {
      const to = (indices.data[n] as number) * width;
      for (let i = 0; i < width; i++) data[to + i] = (data[to + i] as number) + (rows.data[n * width + i] as number);
    }
    return [{ shape: table.shape, data }];
  },
  pick: (_, [x, indices], [shape]) => {
    const width = x.shape[1] as number;
    return [generate(shape, ([n]) => x.data[(n as number) * width + (indices.data[n as number] as number)] as number)];
  },
  pickAdd: (_, [x, indices, amounts]) => {
    const data = Float64Array.from(x.data);
    const width = x.shape[1] as number;
    for (let n = 0; n < indices.data.length; n++) {
      const place = n * width + (indices.data[n] as number);
      data[place] = (data[place] as number) + (amounts.data[n] as number);
    }
    return [{ shape: x.shape, data }];
  },
};

function written({ op }: Node): never {
  throw new TypeError(`host: ${op} is for devices with a kernel for it; here attention is written out in blocks`);
}

/** To the nearest whole number, halves to the even one. */
function roundToEven(x: number): number {
  return Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x);
}

function logSumExp(row: Float64Array): number {
  const top = row.reduce((most, v) => Math.max(most, v), Number.NEGATIVE_INFINITY);
  return top + Math.log(row.reduce((sum, v) => sum + Math.exp(v - top), 0));
}

function softmax(x: Numbers): Numbers {
  const tops = foldRows(x, (row) => row.reduce((most, v) => Math.max(most, v), Number.NEGATIVE_INFINITY));
  const column = ({ shape, data }: Numbers): Numbers => ({ shape: [...shape, 1], data });
  const raised = combine(x, column(tops), (v, top) => Math.exp(v - top));
  const sums = foldRows(raised, (row) => row.reduce((sum, v) => sum + v, 0));
  return combine(raised, column(sums), (v, sum) => v / sum);
}

/** The elements of `x` moved down by `by` along `axis` into `shape`; zeros where there are none. */
function shifted(x: Numbers, shape: readonly number[], axis: number, by: number): Numbers {
  const strides = x.shape.map((_, i) => sizeOf(x.shape.slice(i + 1)));
  const length = x.shape[axis] as number;
  return generate(shape, (index) => {
    const from = (index[axis] as number) + by;
    if (from < 0 || from >= length) return 0;
    return x.data[placeOf(index, strides) + by * (strides[axis] as number)] as number;
  });
}
