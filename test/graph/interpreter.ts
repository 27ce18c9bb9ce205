// The oracle: a graph computed in float64, node by node, with plain loops and no regard for speed. It shares with the
// rest only the graph itself: not a shape, a gradient rule or an ONNX operator. Every result's shape is held to the one
// the graph declares, so shape inference is tested wherever a graph is interpreted.

import { resolve } from "../../src/graph/dim.ts";
import type { BinaryOp, Operands, OpName, Results, UnaryOp } from "../../src/graph/op.ts";
import type { Graph } from "../../src/graph/trace.ts";
import type { Node, Value } from "../../src/graph/value.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import { attend, attendGrad } from "./attention.ts";
import {
  at,
  beside,
  type Given,
  generate,
  multiply,
  type Numbers,
  numbers,
  reduce,
  rowOf,
  rows,
  size,
  softmax,
} from "./numbers.ts";

/** What a graph is fed: tensors, or float64 numbers where the graph has float32. */
export type Feeds = Readonly<Record<string, Given>>;

type Sizes = Record<string, number>;
interface Around {
  readonly feeds: Feeds;
  readonly sizes: Sizes;
}

type Evaluator<N extends OpName> = (node: Node<N>, inputs: Operands<N, Numbers>, around: Around) => Results<N, Numbers>;

/** The outputs of `graph`. Named dimensions get their sizes from the feeds. */
export function interpret(graph: Graph, feeds: Feeds): Record<string, Numbers> {
  const results = new Map<Value, Numbers>();
  const sizes: Sizes = {};
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((read: Value) => results.get(read) as Numbers);
    const made = evaluate(node, inputs, { feeds, sizes });
    for (const [i, output] of node.outputs.entries()) {
      expectShape(output, made[i] as Numbers, sizes);
      results.set(output, made[i] as Numbers);
    }
  }
  return Object.fromEntries(
    Object.entries(graph.outputs).map(([name, output]) => [name, results.get(output) as Numbers]),
  );
}

function evaluate<N extends OpName>(node: Node<N>, inputs: readonly Numbers[], around: Around): readonly Numbers[] {
  return evaluators[node.op](node, inputs as Operands<N, Numbers>, around);
}

/** How every operation is computed. */
const evaluators: { readonly [N in OpName]: Evaluator<N> } = {
  input: ({ attributes: { name } }, _, { feeds }) => {
    const feed = feeds[name];
    if (!feed) throw new Error(`interpret: no feed for ${name}`);
    return [numbers(feed)];
  },
  constant: ({ attributes: { tensor } }) => [numbers(tensor)],

  add: binary((a, b) => a + b),
  sub: binary((a, b) => a - b),
  mul: binary((a, b) => a * b),
  div: (node, inputs) =>
    binary(node.outputs[0].dtype === "float32" ? (a, b) => a / b : (a, b) => Math.trunc(a / b))(node, inputs),
  min: binary(Math.min),
  neg: unary((x) => -x),
  abs: unary(Math.abs),
  round: unary((x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x))),
  exp: unary(Math.exp),
  log: unary(Math.log),
  sqrt: unary(Math.sqrt),
  sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  silu: unary((x) => x / (1 + Math.exp(-x))),
  cast: ({ attributes: { to } }, [x]) => {
    const convert = casts[to] ?? Math.trunc;
    return [{ shape: x.shape, data: x.data.map((v) => convert(v)) }];
  },
  after: (_, [x]) => [x],

  matmul: ({ attributes: { transA, transB, alpha } }, [a, b]) => [multiply(a, b, transA, transB, alpha)],

  integerMatmul: (_, [a, b, zero]) => [
    multiply({ shape: a.shape, data: a.data.map((v) => v - (zero.data[0] as number)) }, b, false, false, 1),
  ],
  quantizedMatmul: ({ attributes: { bits } }, [x, codes, scales]) => {
    const perByte = 8 / bits;
    const weights = generate([codes.shape[0] as number, x.shape.at(-1) as number], ([row, k]) => {
      const [block, place] = [Math.floor((k as number) / 32), (k as number) % 32];
      const byte = at(codes, [row as number, block, Math.floor(place / perByte)]);
      const code = Math.floor(byte / 2 ** (bits * (place % perByte))) % 2 ** bits;
      return (code - 2 ** (bits - 1)) * at(scales, [row as number, block]);
    });
    return [multiply(x, weights, false, true, 1)];
  },

  reshape: ({ attributes: { shape } }, [x], { sizes }) => {
    return [{ shape: shape.map((dim) => resolve(dim, sizes)), data: x.data }];
  },
  transpose: ({ attributes: { perm } }, [x]) => {
    const shape = perm.map((axis) => x.shape[axis] as number);
    const source = x.shape.map(() => 0);
    return [
      generate(shape, (index) => {
        for (const [to, from] of perm.entries()) source[from] = index[to] as number;
        return at(x, source);
      }),
    ];
  },
  expand: ({ attributes: { shape } }, [x], { sizes }) => {
    const to = shape.map((dim) => resolve(dim, sizes));
    return [generate(to, (index) => at(x, index))];
  },
  concat: ({ attributes: { axis } }, inputs) => {
    const lengths = inputs.map((part) => part.shape[axis] as number);
    const total = lengths.reduce((sum, length) => sum + length, 0);
    return [
      generate(inputs[0].shape.with(axis, total), (index) => {
        let [which, start] = [0, 0];
        while ((index[axis] as number) - start >= (lengths[which] as number)) start += lengths[which++] as number;
        return beside(inputs[which] as Numbers, index, axis, -start);
      }),
    ];
  },
  slice: ({ attributes: { axis, start, end } }, [x]) => [
    generate(x.shape.with(axis, end - start), (index) => beside(x, index, axis, start)),
  ],
  pad: ({ attributes: { axis, before, after } }, [x]) => {
    const length = x.shape[axis] as number;
    return [
      generate(x.shape.with(axis, before + length + after), (index) => {
        const place = (index[axis] as number) - before;
        return place < 0 || place >= length ? 0 : beside(x, index, axis, -before);
      }),
    ];
  },

  sum: ({ attributes: { axes, keepDims } }, [x]) => [reduce(x, axes, keepDims, 0, (a, b) => a + b)],
  max: ({ attributes: { axes, keepDims } }, [x]) => [reduce(x, axes, keepDims, Number.NEGATIVE_INFINITY, Math.max)],
  sumSquares: (_, [x]) => [{ shape: [], data: Float64Array.of(x.data.reduce((sum, v) => sum + v * v, 0)) }],

  softmax: (_, [x]) => [softmax(x)],
  logSumExp: (_, [x]) => {
    const sums = rows(x).map((row) => {
      const top = Math.max(...row);
      return top + Math.log(row.reduce((sum, v) => sum + Math.exp(v - top), 0));
    });
    return [{ shape: x.shape.slice(0, -1), data: Float64Array.from(sums) }];
  },
  rmsNorm: ({ attributes: { epsilon } }, [x, scale]) => {
    const reciprocals = rows(x).map((row) => 1 / Math.sqrt(mean(row.map((v) => v * v)) + epsilon));
    const reciprocal = { shape: [...x.shape.slice(0, -1), 1], data: Float64Array.from(reciprocals) };
    return [generate(x.shape, (index) => at(x, index) * at(reciprocal, index) * at(scale, index)), reciprocal];
  },
  softmaxWeighted: (_, [scores, values]) => {
    const weights = softmax(scores);
    return [multiply(weights, values, false, false, 1), weights];
  },

  causalAttention: ({ attributes: { scale } }, [q, k, v]) => attend(q, k, v, scale),
  causalAttentionGrad: ({ attributes: { scale } }, inputs) => {
    const [q, k, v, , statistics, gradient] = inputs;
    return attendGrad([q, k, v], statistics, gradient, scale);
  },

  rotary: (_, [x, positions, cos, sin]) => {
    const half = cos.shape[1] as number;
    return [
      generate(x.shape, (index) => {
        const [b, t, column] = index as [number, number, number];
        const turn = (positions.data[b * (x.shape[1] as number) + t] as number) * half + (column % half);
        const [c, s] = [cos.data[turn] as number, sin.data[turn] as number];
        return column % (2 * half) < half
          ? at(x, index) * c - beside(x, index, 2, half) * s
          : at(x, index) * c + beside(x, index, 2, -half) * s;
      }),
    ];
  },

  gather: (_, [table, indices]) => {
    const chosen = [...indices.data].map((row) => rowOf(table, row));
    return [
      { shape: [...indices.shape, ...table.shape.slice(1)], data: Float64Array.from(chosen.flatMap((r) => [...r])) },
    ];
  },
  scatterAdd: (_, [table, indices, added]) => {
    const data = table.data.slice();
    for (const [n, row] of indices.data.entries()) {
      const width = data.length / (table.shape[0] as number);
      for (const [i, v] of rowOf(added, n).entries()) data[row * width + i] = (data[row * width + i] as number) + v;
    }
    return [{ shape: table.shape, data }];
  },
  pick: (_, [x, indices]) => [
    generate(indices.shape, ([n]) => at(x, [n as number, indices.data[n as number] as number])),
  ],
  pickAdd: (_, [x, indices, amounts]) => [
    generate(x.shape, (index) => {
      const [n, v] = index as [number, number];
      return at(x, index) + (indices.data[n] === v ? (amounts.data[n] as number) : 0);
    }),
  ],
};

/** What casts do that do not cut fractions off. */
const casts: Partial<Record<DType, (v: number) => number>> = {
  float32: (v) => v,
  bfloat16: (v) => {
    const step = 2 ** (Math.floor(Math.log2(Math.abs(v))) - 7); // of 7 bits after the first
    const steps = v / step;
    return v === 0 ? 0 : step * (Math.abs(steps % 1) === 0.5 ? 2 * Math.round(steps / 2) : Math.round(steps));
  },
  bool: (v) => Number(v !== 0),
  float16: (v) => {
    const step = 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(v)))) - 10); // of 10 bits after the first
    const steps = v / step;
    return v === 0 ? 0 : step * (Math.abs(steps % 1) === 0.5 ? 2 * Math.round(steps / 2) : Math.round(steps));
  },
};

function unary(f: (x: number) => number) {
  return (_: Node<UnaryOp>, [x]: readonly [Numbers]): readonly [Numbers] => [
    { shape: x.shape, data: x.data.map((v) => f(v)) },
  ];
}

function binary(f: (a: number, b: number) => number) {
  return (_: Node<BinaryOp>, [a, b]: readonly [Numbers, Numbers]): readonly [Numbers] => {
    const rank = Math.max(a.shape.length, b.shape.length);
    const dim = (x: Numbers, axis: number) => x.shape[axis - rank + x.shape.length] ?? 1;
    const shape = Array.from({ length: rank }, (_, axis) => (dim(a, axis) === 1 ? dim(b, axis) : dim(a, axis)));
    if (a.data.length === b.data.length && size(shape) === a.data.length) {
      return [{ shape, data: a.data.map((v, i) => f(v, b.data[i] as number)) }];
    }
    return [generate(shape, (index) => f(at(a, index), at(b, index)))];
  };
}

function mean(values: Float64Array): number {
  return values.reduce((sum, v) => sum + v, 0) / values.length;
}

function expectShape(declared: Value, { shape, data }: Numbers, sizes: Sizes): void {
  const wrong = declared.shape.some((dim, axis) => {
    const found = shape[axis] as number;
    if (typeof dim === "string") sizes[dim] ??= found;
    return found !== resolve(dim, sizes);
  });
  if (wrong || shape.length !== declared.shape.length || data.length !== size(shape)) {
    throw new Error(
      `${declared.node.op}: declared [${declared.shape.join(", ")}], found [${shape}] with ${data.length}`,
    );
  }
}
