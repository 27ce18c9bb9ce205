// Making graphs: what is recorded, what becomes one node, what is left out, and what is refused.

import { describe, expect, test } from "vitest";
import { add, concat, exp, mul, neg, rmsNorm, sum } from "../../src/graph/ops.ts";
import { constant, float, input, scope, trace } from "../../src/graph/trace.ts";
import type { Value } from "../../src/graph/value.ts";

const x = () => input("x", "float32", [2, 3]);
const y = () => input("y", "float32", [2, 3]);
const ops = (build: () => Record<string, Value>) => trace(build).nodes.map(({ op }) => op);

describe("equal nodes are one", () => {
  test("the same operation on the same values", () => {
    trace(() => {
      expect(add(x(), y())).toBe(add(x(), y()));
      expect(add(x(), y())).not.toBe(add(y(), x()));
      expect(sum(x(), [0])).toBe(sum(x(), [-2]));
      expect(sum(x(), [0])).not.toBe(sum(x(), [1]));
      expect(sum(x(), [0])).not.toBe(sum(x(), [0], true));
      return { x: x() };
    });
    expect(ops(() => ({ out: mul(exp(x()), exp(x())) }))).toEqual(["input", "exp", "mul"]);
  });

  test("small constants by their contents, large ones by their array", () => {
    trace(() => {
      expect(float(1)).toBe(float(1));
      expect(float([1, 2])).toBe(float([1, 2]));
      expect(float(1)).not.toBe(float([1]));
      expect(float(1)).not.toBe(float(1 + 2 ** -20));
      expect(float(Number.NaN)).toBe(float(Number.NaN));
      expect(float(Number.POSITIVE_INFINITY)).not.toBe(float(Number.NEGATIVE_INFINITY));
      const ints = constant({ dtype: "int32", shape: [], data: Int32Array.of(1) });
      expect(ints).not.toBe(float(1));
      const data = new Float32Array(20);
      const large = (held: Float32Array, shape = [20]) => constant({ dtype: "float32", shape, data: held });
      expect(large(data)).toBe(large(data));
      expect(large(data)).not.toBe(large(data, [4, 5]));
      expect(large(data)).not.toBe(large(data.slice()));
      return { x: x() };
    });
  });

  test("minus zero is not zero", () => {
    trace(() => {
      expect(float(-0)).not.toBe(float(0));
      return { x: x() };
    });
  });

  test("of several outputs, each is its own value", () => {
    trace(() => {
      const scale = input("s", "float32", [3]);
      const [normal, reciprocal] = rmsNorm(x(), scale, 1e-5).node.outputs as [Value, Value];
      expect(neg(normal)).not.toBe(neg(reciprocal));
      expect(rmsNorm(x(), scale, 1e-5)).toBe(normal);
      expect(rmsNorm(x(), scale, 1e-6)).not.toBe(normal);
      return { normal };
    });
  });
});

describe("a graph", () => {
  test("leaves out what its outputs do not need", () => {
    const graph = trace(() => {
      exp(y());
      return { out: neg(x()) };
    });
    expect(graph.nodes.map(({ op }) => op)).toEqual(["input", "neg"]);
    expect(graph.inputs.map(({ node }) => node.attributes)).toEqual([{ name: "x" }]);
  });

  test("has inputs before users, however deep", () => {
    const graph = trace(() => {
      let value = x();
      for (let i = 0; i < 20_000; i++) value = add(value, float(i));
      return { value };
    });
    const places = new Map(graph.nodes.map((node, place) => [node, place]));
    const inOrder = graph.nodes.every((node, place) =>
      node.inputs.every((read) => Number(places.get(read.node)) < place),
    );
    expect(inOrder).toBe(true);
    expect(graph.nodes).toHaveLength(40_001);
  });

  test("keeps its outputs' names", () => {
    const graph = trace(() => ({ b: x(), a: x(), c: neg(x()) }));
    expect(Object.keys(graph.outputs)).toEqual(["b", "a", "c"]);
    expect(graph.outputs.a).toBe(graph.outputs.b);
  });
});

describe("scopes", () => {
  test("name the nodes made inside, the innermost winning", () => {
    trace(() => {
      const outside = neg(x());
      const [inside, deeper] = scope("a", () => [exp(outside), scope("b", () => neg(exp(outside)))]);
      expect([outside, inside, deeper, exp(x())].map((value) => (value as Value).node.scope)).toEqual([
        "",
        "a",
        "b",
        "",
      ]);
      return { outside };
    });
  });

  test("end with an error", () => {
    trace(() => {
      const failing = () => {
        throw new Error("no");
      };
      expect(() => scope("a", failing)).toThrow("no");
      expect(neg(x()).node.scope).toBe("");
      return { x: x() };
    });
  });
});

describe("refused", () => {
  test("values outside a trace, also after one", () => {
    const message = "graph values can only be made inside trace(() => …)";
    expect(() => float(1)).toThrow(message);
    expect(() =>
      trace(() => {
        throw new Error("no");
      }),
    ).toThrow("no");
    expect(() => float(1)).toThrow(message);
  });

  test("two inputs of one name and different types, if both are used", () => {
    const twice = () => concat([x(), input("x", "float32", [1, 3])], 0);
    expect(() => trace(() => ({ out: twice() }))).toThrow("trace: two inputs of different types are named x");
  });
});

test("a trace inside a trace is its own", () => {
  const outer = trace(() => {
    const inner = trace(() => ({ out: neg(y()) }));
    expect(inner.nodes).toHaveLength(2);
    return { out: exp(x()) };
  });
  expect(outer.nodes.map(({ op }) => op)).toEqual(["input", "exp"]);
});
