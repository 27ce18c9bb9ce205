// The gradient of every operation, one row each. A row gets the node and the gradients of its outputs (undefined where
// nothing depends on one) and gives the gradients of its inputs, built from graph operations: nothing here computes.

import type { OpName } from "../graph/op.ts";
import {
  add,
  cast,
  causalAttentionGrad,
  div,
  expand,
  gather,
  matmul,
  mul,
  neg,
  pad,
  pick,
  pickAdd,
  reshape,
  rotary,
  scatterAdd,
  sigmoid,
  slice,
  softmax,
  sub,
  sum,
  sumTo,
  transpose,
} from "../graph/ops.ts";
import { constant } from "../graph/trace.ts";
import { fixedShape, type Node, type Value } from "../graph/value.ts";
import { sizeOf, zeros } from "../tensor/tensor.ts";

type Gradients = readonly (Value | undefined)[];

type Rule<N extends OpName> = (node: Node<N>, gradients: readonly [Value, ...Gradients]) => Gradients;

function none(): Gradients {
  return [];
}

function undifferentiable({ op }: Node): Gradients {
  throw new TypeError(`gradient: ${op} has no gradient here`);
}

/** The rule of a node's operation. */
export function ruleOf<N extends OpName>({ op }: Node<N>): Rule<N> {
  return rules[op];
}

const rules: { readonly [N in OpName]: Rule<N> } = {
  input: none,
  constant: none,

  add: ({ inputs: [a, b] }, [g]) => [sumTo(g, a.shape), sumTo(g, b.shape)],
  sub: ({ inputs: [a, b] }, [g]) => [sumTo(g, a.shape), sumTo(neg(g), b.shape)],
  mul: ({ inputs: [a, b] }, [g]) => [sumTo(mul(g, b), a.shape), sumTo(mul(g, a), b.shape)],
  div: ({ inputs: [a, b], outputs: [y] }, [g]) => {
    const da = div(g, b);
    return [sumTo(da, a.shape), sumTo(neg(mul(da, y)), b.shape)];
  },
  min: undifferentiable,
  neg: (_, [g]) => [neg(g)],
  abs: undifferentiable,
  round: undifferentiable,
  exp: ({ outputs: [y] }, [g]) => [mul(g, y)],
  log: ({ inputs: [x] }, [g]) => [div(g, x)],
  sqrt: ({ outputs: [y] }, [g]) => [div(mul(g, 0.5), y)],
  sigmoid: ({ outputs: [s] }, [g]) => [mul(g, mul(s, sub(1, s)))],
  silu: ({ inputs: [x], outputs: [y] }, [g]) => {
    const s = sigmoid(x);
    return [mul(g, add(s, mul(y, sub(1, s))))]; // y' = s + y·(1 − s)
  },
  cast: ({ inputs: [x] }, [g]) => [cast(g, x.dtype)],
  after: (_, [g]) => [g],

  // Of bfloat16 operands: a row of the first has a gradient of one product; the second is read by all rows, whose sum stays
  // float32.
  matmul: ({ inputs: [a, b], attributes: { transA, transB, alpha } }, [given]) => {
    const g = cast(given, a.dtype);
    const [rows, sums] = [a.dtype, a.dtype === "bfloat16" ? "float32" : a.dtype] as const;
    const da = transA
      ? matmul(b, g, { transA: transB, transB: true, alpha, to: rows })
      : matmul(g, b, { transB: !transB, alpha, to: rows });
    const db = transB
      ? matmul(g, a, { transA: true, transB: transA, alpha, to: sums })
      : matmul(a, g, { transA: !transA, alpha, to: sums });
    return [sumTo(da, a.shape), sumTo(db, b.shape)];
  },

  integerMatmul: undifferentiable,
  quantizedMatmul: undifferentiable,

  reshape: ({ inputs: [x] }, [g]) => [reshape(g, x.shape)],
  transpose: ({ attributes: { perm } }, [g]) => [
    transpose(
      g,
      perm.map((_, axis) => perm.indexOf(axis)),
    ),
  ],
  expand: ({ inputs: [x] }, [g]) => [sumTo(g, x.shape)],
  concat: ({ inputs, attributes: { axis } }, [g]) => {
    let start = 0;
    return inputs.map((part) => {
      const length = fixedShape(part.shape, "gradient of concat")[axis] as number;
      start += length;
      return slice(g, axis, start - length, start);
    });
  },
  slice: ({ inputs: [x], attributes: { axis, start, end } }, [g]) => [
    pad(g, axis, start, (x.shape[axis] as number) - end),
  ],
  pad: ({ inputs: [x], attributes: { axis, before } }, [g]) => [
    slice(g, axis, before, before + (x.shape[axis] as number)),
  ],

  sum: ({ inputs: [x], attributes: { axes } }, [g]) => {
    const kept = x.shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
    return [expand(reshape(g, kept), x.shape)];
  },
  max: undifferentiable,
  sumSquares: ({ inputs: [x] }, [g]) => [mul(x, mul(g, 2))],

  softmax: ({ outputs: [y] }, [g]) => [mul(y, sub(g, sum(mul(g, y), [-1], true)))],
  logSumExp: ({ inputs: [x] }, [g]) => [mul(softmax(x), reshape(g, [...g.shape, 1]))],
  rmsNorm: ({ inputs: [x, scale], outputs: [, reciprocal] }, [g]) => {
    const width = x.shape.at(-1) as number;
    const normal = mul(x, reciprocal);
    const aligned = mul(g, normal); // its row sums weighted by scale are width · mean(dnormal · normal)
    const mean = matmul(aligned, reshape(scale, [width, 1]), { alpha: 1 / width });
    return [mul(sub(mul(g, scale), mul(normal, mean)), reciprocal), sumTo(aligned, scale.shape)];
  },
  softmaxWeighted: ({ inputs: [, values], outputs: [out, weights] }, [g]) => {
    const dweights = matmul(g, values, { transB: true });
    const mean = sum(mul(g, out), [-1], true); // Σ weights·dweights of each row
    return [mul(weights, sub(dweights, mean)), matmul(weights, g, { transA: true })];
  },

  causalAttention: ({ inputs, outputs, attributes: { scale } }, [g]) => causalAttentionGrad(inputs, outputs, g, scale),
  causalAttentionGrad: undifferentiable,

  // A rotation's transpose is the rotation by the opposite angle.
  rotary: ({ inputs: [, positions, cos, sin] }, [g]) => [rotary(g, positions, cos, neg(sin))],

  gather: ({ inputs: [table, indices] }, [g]) => {
    const count = sizeOf(fixedShape(indices.shape, "gradient of gather"));
    const rows = reshape(g, [count, ...table.shape.slice(1)]);
    return [scatterAdd(zerosLike(table), reshape(indices, [count]), rows)];
  },
  scatterAdd: ({ inputs: [, indices] }, [g]) => [g, undefined, gather(g, indices)],
  pick: ({ inputs: [x, indices] }, [g]) => [pickAdd(zerosLike(x), indices, g)],
  pickAdd: ({ inputs: [, indices] }, [g]) => [g, undefined, pick(g, indices)],
};

function zerosLike(x: Value): Value {
  return expand(
    constant(
      zeros(
        x.dtype,
        x.shape.map(() => 1),
      ),
    ),
    x.shape,
  );
}
