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
import { fixedShape, type Node, type Shape, type Value } from "../graph/value.ts";
import { sizeOf, zeros } from "../tensor/tensor.ts";

type Gradients = readonly (Value | undefined)[];

/** One operation's rule. */
export type Rule<N extends OpName> = (node: Node<N>, gradients: readonly [Value, ...Gradients]) => Gradients;

function none(): Gradients {
  return [];
}

function undifferentiable({ op }: Node): Gradients {
  throw new TypeError(`gradient: ${op} has no gradient here`);
}

/** The rule of every operation. `gradients[0]` is always there. */
export const rules: { readonly [N in OpName]: Rule<N> } = {
  input: none,
  constant: none,

  add: ({ inputs: [a, b] }, [g]) => [sumTo(g, shape(a)), sumTo(g, shape(b))],
  sub: ({ inputs: [a, b] }, [g]) => [sumTo(g, shape(a)), sumTo(neg(g), shape(b))],
  mul: ({ inputs }, [g]) => {
    const [a, b] = pair(inputs);
    return [sumTo(mul(g, b), a.shape), sumTo(mul(g, a), b.shape)];
  },
  div: ({ inputs, outputs }, [g]) => {
    const [a, b] = pair(inputs);
    const da = div(g, b);
    return [sumTo(da, a.shape), sumTo(neg(mul(da, first(outputs))), b.shape)];
  },
  min: undifferentiable,
  neg: (_, [g]) => [neg(g)],
  abs: undifferentiable,
  round: undifferentiable,
  exp: ({ outputs }, [g]) => [mul(g, first(outputs))],
  log: ({ inputs }, [g]) => [div(g, first(inputs))],
  sqrt: ({ outputs }, [g]) => [div(mul(g, 0.5), first(outputs))],
  sigmoid: ({ outputs }, [g]) => {
    const s = first(outputs);
    return [mul(g, mul(s, sub(1, s)))];
  },
  silu: ({ inputs, outputs }, [g]) => {
    const [s, y] = [sigmoid(first(inputs)), first(outputs)];
    return [mul(g, add(s, mul(y, sub(1, s))))]; // y' = s + y·(1 − s)
  },
  cast: ({ inputs }, [g]) => [cast(g, first(inputs).dtype)],
  after: (_, [g]) => [g],

  // Of bfloat16 operands: a row of the first has a gradient of one product; the second is read by all rows, whose sum stays
  // float32.
  matmul: ({ inputs, attributes: { transA, transB, alpha } }, [given]) => {
    const [a, b] = pair(inputs);
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

  reshape: ({ inputs }, [g]) => [reshape(g, shape(first(inputs)))],
  transpose: ({ attributes: { perm } }, [g]) => [
    transpose(
      g,
      perm.map((_, axis) => perm.indexOf(axis)),
    ),
  ],
  expand: ({ inputs }, [g]) => [sumTo(g, shape(first(inputs)))],
  concat: ({ inputs, attributes: { axis } }, [g]) => {
    let start = 0;
    return inputs.map((part) => {
      const length = fixedShape(part.shape, "gradient of concat")[axis] as number;
      start += length;
      return slice(g, axis, start - length, start);
    });
  },
  slice: ({ inputs, attributes: { axis, start, end } }, [g]) => [
    pad(g, axis, start, (first(inputs).shape[axis] as number) - end),
  ],
  pad: ({ inputs, attributes: { axis, before } }, [g]) => [
    slice(g, axis, before, before + (first(inputs).shape[axis] as number)),
  ],

  sum: ({ inputs, attributes: { axes } }, [g]) => {
    const x = first(inputs);
    const kept = x.shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
    return [expand(reshape(g, kept), x.shape)];
  },
  max: undifferentiable,
  sumSquares: ({ inputs }, [g]) => [mul(first(inputs), mul(g, 2))],

  softmax: ({ outputs }, [g]) => {
    const y = first(outputs);
    return [mul(y, sub(g, sum(mul(g, y), [-1], true)))];
  },
  logSumExp: ({ inputs }, [g]) => {
    const x = first(inputs);
    return [mul(softmax(x), reshape(g, [...g.shape, 1]))];
  },
  rmsNorm: ({ inputs, outputs }, [g]) => {
    const [x, scale] = pair(inputs);
    const [, reciprocal] = pair(outputs);
    const width = x.shape.at(-1) as number;
    const normal = mul(x, reciprocal);
    const aligned = mul(g, normal); // its row sums weighted by scale are width · mean(dnormal · normal)
    const mean = matmul(aligned, reshape(scale, [width, 1]), { alpha: 1 / width });
    return [mul(sub(mul(g, scale), mul(normal, mean)), reciprocal), sumTo(aligned, scale.shape)];
  },
  softmaxWeighted: ({ inputs, outputs }, [g]) => {
    const [, values] = pair(inputs);
    const [out, weights] = pair(outputs);
    const dweights = matmul(g, values, { transB: true });
    const mean = sum(mul(g, out), [-1], true); // Σ weights·dweights of each row
    return [mul(weights, sub(dweights, mean)), matmul(weights, g, { transA: true })];
  },

  causalAttention: ({ inputs, outputs, attributes: { scale } }, [g]) =>
    causalAttentionGrad(inputs as unknown as [Value, Value, Value], pair(outputs), g, scale),
  causalAttentionGrad: undifferentiable,

  // A rotation's transpose is the rotation by the opposite angle.
  rotary: ({ inputs: [, positions, cos, sin] }, [g]) => [
    rotary(g, positions as Value, cos as Value, neg(sin as Value)),
  ],

  gather: ({ inputs }, [g]) => {
    const [table, indices] = pair(inputs);
    const count = sizeOf(fixedShape(indices.shape, "gradient of gather"));
    const rows = reshape(g, [count, ...table.shape.slice(1)]);
    return [scatterAdd(zerosLike(table), reshape(indices, [count]), rows)];
  },
  scatterAdd: ({ inputs: [, indices] }, [g]) => [g, undefined, gather(g, indices as Value)],
  pick: ({ inputs }, [g]) => {
    const [x, indices] = pair(inputs);
    return [pickAdd(zerosLike(x), indices, g)];
  },
  pickAdd: ({ inputs: [, indices] }, [g]) => [g, undefined, pick(g, indices as Value)],
};

function first(values: readonly Value[]): Value {
  return values[0] as Value;
}

function pair(values: readonly Value[]): readonly [Value, Value] {
  return values as unknown as readonly [Value, Value];
}

function shape(value: Value | undefined): Shape {
  return (value as Value).shape;
}

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
