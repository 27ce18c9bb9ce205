// Every operation as ONNX Runtime computes it against the float64 interpreter.

import { describe, expect, test } from "vitest";
import { add, causalAttention, matmul, neg } from "../../src/graph/ops.ts";
import { input, trace } from "../../src/graph/trace.ts";
import { toOnnx } from "../../src/onnx/model.ts";
import { compile } from "../../src/runtime/onnxruntime-node.ts";
import { scalar } from "../../src/tensor/tensor.ts";
import { expectClose } from "../graph/close.ts";
import { interpret } from "../graph/interpreter.ts";
import { RandomInputs } from "../graph/random-inputs.ts";
import { caseGraph, cases, tolerance } from "../runtime/conformance-cases.ts";

const written = Object.entries(cases).filter(([op]) => !op.startsWith("causalAttention"));

describe.each(written)("%s", (_, uses) => {
  test.each(Object.entries(uses))("%s", async (_, build) => {
    const given = new RandomInputs(7);
    const graph = caseGraph(build, given);
    const expected = interpret(graph, given.feeds);
    using program = await compile(graph, { threads: 2 });
    const found = await program.run(given.feeds);
    expect(Object.keys(found)).toEqual(Object.keys(expected));
    for (const [name, numbers] of Object.entries(expected)) {
      expect(found[name]?.dtype).toBe(graph.outputs[name]?.dtype);
      expectClose(found[name], numbers, tolerance);
    }
  });
});

test("attention in one operation is refused: here it is written out in blocks", () => {
  const x = () => input("x", "float32", [1, 2, 1, 4]);
  expect(() => toOnnx(trace(() => ({ y: causalAttention(x(), x(), x(), 0.5) })))).toThrow(
    "onnx: causalAttention is for devices with a kernel for it",
  );
});

test("an input is the same fed or bound", async () => {
  const given = new RandomInputs(8);
  const graph = trace(() => ({ y: matmul(given.normal([3, 4]), given.normal([5, 4]), { transB: true }) }));
  using program = await compile(graph, { bound: { x1: given.feeds.x1! } });
  const { y } = await program.run({ x0: given.feeds.x0! });
  expectClose(y, interpret(graph, given.feeds).y, 1e-6);
});

test("outputs are written in place where asked", async () => {
  const graph = trace(() => ({ y: add(input("x", "float32", [2]), input("s", "float32", [])) }));
  using program = await compile(graph);
  const x = { dtype: "float32", shape: [2], data: Float32Array.of(1, 2) } as const;
  await program.run({ x, s: scalar(10) }, { y: x });
  expect([...x.data]).toEqual([11, 12]);
});

test("a missing feed is named", async () => {
  using program = await compile(trace(() => ({ y: neg(input("x", "float32", [2])) })));
  await expect(program.run({})).rejects.toThrow("run: no tensor for input x");
});
