// The gradient rule of every operation against central differences, both computed in float64 by the interpreter.

import { describe, expect, test } from "vitest";
import { gradient } from "../../src/autodiff/gradient.ts";
import {
  abs,
  add,
  after,
  cast,
  causalAttention,
  causalAttentionGrad,
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
import { constant, float, type Graph, input, trace } from "../../src/graph/trace.ts";
import { fixedShape, type Value } from "../../src/graph/value.ts";
import { Random } from "../../src/tensor/random.ts";
import { sizeOf } from "../../src/tensor/tensor.ts";
import { expectClose } from "../graph/close.ts";
import { type Feeds, interpret } from "../graph/interpreter.ts";
import type { Numbers } from "../graph/numbers.ts";
import { type Case, type Cases, RandomInputs } from "../graph/random-inputs.ts";

const binary = (op: (a: Value, b: Value) => Value): Record<string, Case> => ({
  "equal shapes": (g) => op(g.normal([2, 3]), g.positive([2, 3])),
  "a row": (g) => op(g.normal([2, 2, 3]), g.positive([3])),
  "a row on the left": (g) => op(g.normal([3]), g.positive([2, 3])),
  "column meets row": (g) => op(g.normal([2, 1]), g.positive([1, 3])),
  "a scalar": (g) => op(g.normal([]), g.positive([2, 3])),
  "with itself": (g) => {
    const x = g.positive([3]);
    return op(x, x);
  },
});

const unary = (op: (x: Value) => Value): Record<string, Case> => ({
  positive: (g) => op(g.positive([2, 3])),
  scalar: (g) => op(g.positive([])),
});

/** Uses of every operation; a text says why it has no gradient. */
const cases: Cases<string> = {
  input: { itself: (g) => g.normal([3]) },
  constant: { "on the way": (g) => mul(g.normal([2]), float([2, -3])) },

  add: binary(add),
  sub: binary(sub),
  mul: binary(mul),
  div: binary(div),
  min: "has a kink; only clipping uses it",
  neg: unary(neg),
  abs: "has a kink; only quantising uses it",
  round: "has steps; only quantising uses it",
  exp: unary(exp),
  log: unary(log),
  sqrt: unary(sqrt),
  sigmoid: { ...unary(sigmoid), "of both signs": (g) => sigmoid(g.normal([6], { scale: 3 })) },
  silu: { ...unary(silu), "of both signs": (g) => silu(g.normal([6], { scale: 3 })) },
  cast: "has steps: float32 is the only dtype with fractions",
  after: { "what comes later": (g) => after(g.normal([2, 3]), float(3)) },

  matmul: {
    plain: (g) => matmul(g.normal([2, 3]), g.normal([3, 4])),
    "a transposed": (g) => matmul(g.normal([3, 2]), g.normal([3, 4]), { transA: true }),
    "b transposed, scaled": (g) => matmul(g.normal([2, 3]), g.normal([4, 3]), { transB: true, alpha: 0.3 }),
    "both transposed, scaled": (g) =>
      matmul(g.normal([3, 2]), g.normal([4, 3]), { transA: true, transB: true, alpha: -2 }),
    batches: (g) => matmul(g.normal([2, 2, 3]), g.normal([2, 3, 2])),
    "a batch times a matrix": (g) => matmul(g.normal([2, 2, 3]), g.normal([4, 3]), { transB: true }),
    "a matrix times a batch": (g) => matmul(g.normal([3, 2]), g.normal([2, 3, 2]), { transA: true }),
    "batches that broadcast": (g) => matmul(g.normal([2, 1, 2, 3]), g.normal([3, 2, 3]), { transB: true }),
    "with itself": (g) => {
      const x = g.normal([3, 3]);
      return matmul(x, x, { transB: true });
    },
  },
  integerMatmul: "multiplies integers",
  quantizedMatmul: "has steps; only inference uses it",

  reshape: { matrix: (g) => reshape(g.normal([2, 6]), [3, 4]), "to a scalar": (g) => reshape(g.normal([1, 1]), []) },
  transpose: {
    matrix: (g) => transpose(g.normal([2, 3]), [1, 0]),
    "three axes, a cycle": (g) => transpose(g.normal([2, 3, 4]), [1, 2, 0]),
  },
  expand: {
    "a scalar": (g) => expand(g.normal([]), [2, 3]),
    "dimensions of one": (g) => expand(g.normal([2, 1, 3, 1]), [2, 2, 3, 2]),
    "a row": (g) => expand(g.normal([3]), [2, 3]),
  },
  concat: {
    "the first axis": (g) => concat([g.normal([2, 3]), g.normal([1, 3]), g.normal([2, 3])], 0),
    "the last axis": (g) => concat([g.normal([2, 3]), g.normal([2, 2])], 1),
    "a part twice": (g) => {
      const x = g.normal([2, 2]);
      return concat([x, g.normal([2, 1]), x], 1);
    },
  },
  slice: {
    "the first axis": (g) => slice(g.normal([5, 2]), 0, 1, 4),
    "two that overlap": (g) => {
      const x = g.normal([2, 5]);
      return mul(slice(x, 1, 0, 3), slice(x, 1, 2, 5));
    },
  },
  pad: {
    "before and after": (g) => pad(g.normal([2, 3]), 1, 1, 2),
    "the first axis": (g) => pad(g.normal([2, 3]), 0, 2, 0),
  },

  sum: {
    "the last axis": (g) => sum(g.normal([2, 3]), [-1]),
    "two axes, kept": (g) => sum(g.normal([2, 3, 2]), [0, 2], true),
    "the middle": (g) => sum(g.normal([2, 3, 2]), [1]),
  },
  max: "has kinks; nothing trained uses it",
  sumSquares: { matrix: (g) => sumSquares(g.normal([2, 3])), scalar: (g) => sumSquares(g.normal([])) },

  softmax: { matrix: (g) => softmax(g.normal([2, 4])), "three axes": (g) => softmax(g.normal([2, 2, 3])) },
  logSumExp: { matrix: (g) => logSumExp(g.normal([2, 4])), vector: (g) => logSumExp(g.normal([4])) },
  rmsNorm: {
    matrix: (g) => rmsNorm(g.normal([3, 4]), g.normal([4]), 1e-5),
    "a large epsilon": (g) => rmsNorm(g.normal([3, 4]), g.normal([4]), 0.7),
    "three axes": (g) => rmsNorm(g.normal([2, 2, 4]), g.normal([4]), 1e-5),
  },
  softmaxWeighted: {
    batches: (g) => softmaxWeighted(g.normal([2, 3, 4]), g.normal([2, 4, 2])),
    masked: (g) => softmaxWeighted(add(g.normal([2, 2]), float([0, Number.NEGATIVE_INFINITY])), g.normal([2, 3])),
  },

  causalAttention: {
    MHA: (g) => causalAttention(g.normal([2, 3, 2, 3]), g.normal([2, 3, 2, 3]), g.normal([2, 3, 2, 3]), 0.6),
    GQA: (g) => causalAttention(g.normal([1, 3, 4, 2]), g.normal([1, 3, 2, 2]), g.normal([1, 3, 2, 2]), 0.7),
    MQA: (g) => causalAttention(g.normal([2, 4, 3, 2]), g.normal([2, 4, 1, 2]), g.normal([2, 4, 1, 2]), 0.7),
    "keys and values of two readers": (g) => {
      const [k, v] = [g.normal([1, 3, 1, 2]), g.normal([1, 3, 1, 2])];
      return mul(
        causalAttention(g.normal([1, 3, 2, 2]), k, v, 0.7),
        causalAttention(g.normal([1, 3, 2, 2]), k, v, 0.7),
      );
    },
  },
  causalAttentionGrad: "is a gradient; nothing differentiates twice",

  rotary: {
    "two heads": (g) =>
      rotary(g.normal([2, 3, 8]), g.indices([2, 3], 5, "int64"), constantNormal([5, 2], 1), constantNormal([5, 2], 2)),
  },

  gather: {
    "repeated rows": (g) => gather(g.normal([4, 2]), g.indices([7], 4)),
    "a matrix of rows": (g) => gather(g.normal([4, 2]), g.indices([2, 3], 4)),
  },
  scatterAdd: { "repeated rows": (g) => scatterAdd(g.normal([4, 2]), g.indices([7], 4), g.normal([7, 2])) },
  pick: { "one of each row": (g) => pick(g.normal([3, 4]), g.indices([3], 4)) },
  pickAdd: { "one of each row": (g) => pickAdd(g.normal([3, 4]), g.indices([3], 4), g.normal([3])) },
};

/** Uses of the operations without a gradient, on three numbers. */
const refused: Record<string, (x: Value) => Value> = {
  min: (x) => min(x, float(0)),
  max: (x) => max(x, [0]),
  abs,
  round,
  integerMatmul: (x) => {
    const byte = (data: number[]) => constant({ dtype: "int8", shape: [3, 1], data: Int8Array.from(data) });
    const zero = constant({ dtype: "uint8", shape: [], data: Uint8Array.of(0) });
    return cast(integerMatmul(cast(reshape(x, [1, 3]), "uint8"), byte([1, 2, 3]), zero), "float32");
  },
  causalAttentionGrad: (x) => {
    const [q, row] = [reshape(x, [1, 1, 1, 3]), float([0.1, 0.2, 0.3])];
    const k = reshape(row, [1, 1, 1, 3]);
    return causalAttentionGrad([q, k, k], [q, float(0)], k, 1)[0];
  },
  quantizedMatmul: (x) =>
    quantizedMatmul(
      reshape(x, [1, 3]),
      constant({ dtype: "uint8", shape: [1, 1, 32], data: new Uint8Array(32) }),
      constant({ dtype: "float32", shape: [1, 1], data: Float32Array.of(1) }),
    ),
};

describe.each(Object.entries(cases))("%s", (name, uses) => {
  if (typeof uses === "string") {
    test("is refused where a gradient would have to pass", () => {
      if (name === "cast") return; // passes gradients on: what a caller who casts to integers asks for is his own
      const op = refused[name];
      if (!op) throw new Error(`no use of ${name} to refuse`);
      expect(() =>
        trace(() => {
          const x = input("x", "float32", [3]);
          return { g: gradient(sumSquares(op(x)), [x])[0] as Value };
        }),
      ).toThrow(`gradient: ${name} has no gradient here`);
    });
    return;
  }
  test.each(Object.entries(uses))("%s", (_, build) => checkGradients(build));
});

test.each<[string, Case]>([
  [
    "an embedding tied to a head",
    (g) => {
      const table = g.normal([5, 3]);
      return matmul(gather(table, g.indices([4], 5)), table, { transB: true });
    },
  ],
  [
    "a table read twice",
    (g) => {
      const table = g.normal([5, 3]);
      return mul(gather(table, g.indices([4], 5)), gather(table, g.indices([4], 5)));
    },
  ],
  [
    "scores picked from and normalised",
    (g) => {
      const scores = g.normal([4, 5]);
      return sub(pick(scores, g.indices([4], 5)), logSumExp(scores));
    },
  ],
  [
    "scores picked from after they were summed",
    (g) => {
      const scores = g.normal([4, 5]);
      const total = logSumExp(scores);
      return mul(total, pick(scores, g.indices([4], 5)));
    },
  ],
  ["a value of one element, picked from", (g) => pick(g.normal([1, 1]), g.indices([1], 1))],
  [
    "one value, many uses",
    (g) => {
      const x = g.positive([3]);
      return add(mul(x, exp(x)), div(sqrt(x), add(x, log(x))));
    },
  ],
])("sums over uses: %s", (_, build) => checkGradients(build));

test("cast passes gradients on", () => {
  const graph = trace(() => {
    const x = input("x", "float32", [2]);
    return { g: gradient(sum(cast(cast(x, "int32"), "float32"), [0]), [x])[0] as Value };
  });
  expect([...(interpret(graph, { x: { shape: [2], data: [1.5, 2.5] } }).g?.data ?? [])]).toEqual([1, 1]);
});

/** Holds the gradient of a random weighting of what `build` makes to central differences, element by element. */
function checkGradients(build: Case): void {
  const given = new RandomInputs(11);
  let names: string[] = [];
  const graph = trace(() => {
    const y = build(given) as Value;
    const loss = sum(
      mul(y, constantNormal(fixedShape(y.shape, "case"), 3)),
      y.shape.map((_, axis) => axis),
    );
    names = Object.keys(given.feeds).filter((name) => given.feeds[name]?.dtype === "float32");
    const wrt = names.map((name) => input(name, "float32", given.feeds[name]?.shape ?? []));
    const gradients = gradient(loss, wrt);
    return { loss, ...Object.fromEntries(names.map((name, i) => [name, gradients[i] as Value])) };
  });
  expect(names.length).toBeGreaterThan(0);
  const found = interpret(graph, given.feeds);
  for (const name of names) expectClose(found[name], differences(graph, given.feeds, name), 1e-7);
}

function differences(graph: Graph, feeds: Feeds, name: string): Numbers {
  const { shape, data } = feeds[name] as Feeds[string];
  const step = 1e-5;
  const lossAt = (i: number, moved: number) => {
    const changed = Float64Array.from(data as ArrayLike<number>);
    changed[i] = (changed[i] as number) + moved;
    return interpret(graph, { ...feeds, [name]: { shape, data: changed } }).loss?.data[0] as number;
  };
  return {
    shape,
    data: Float64Array.from({ length: data.length }, (_, i) => (lossAt(i, step) - lossAt(i, -step)) / (2 * step)),
  };
}

function constantNormal(shape: readonly number[], seed: number): Value {
  const random = new Random(seed);
  return constant({
    dtype: "float32",
    shape,
    data: Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
  });
}
