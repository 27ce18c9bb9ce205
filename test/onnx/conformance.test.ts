// What ONNX Runtime's lowering refuses, and what it packs. Its operations are judged with other devices', in
// test/runtime/conformance.test.ts.

import { expect, test } from "vitest";
import { causalAttention, matmul } from "../../src/graph/ops.ts";
import { input, trace } from "../../src/graph/trace.ts";
import { toOnnx } from "../../src/onnx/model.ts";
import { expectClose } from "../graph/close.ts";
import { interpret } from "../graph/interpreter.ts";
import { RandomInputs } from "../graph/random-inputs.ts";
import { compile } from "../runtime/program.ts";

test("attention in one operation is refused: here it is written out in blocks", () => {
  const x = () => input("x", "float32", [1, 2, 1, 4]);
  expect(() => toOnnx(trace(() => ({ y: causalAttention(x(), x(), x(), 0.5) })))).toThrow(
    "onnx: causalAttention is for devices with a kernel for it",
  );
});

test("an input is the same fed or constant", async () => {
  const given = new RandomInputs(8);
  const graph = trace(() => ({ y: matmul(given.normal([3, 4]), given.normal([5, 4]), { transB: true }) }));
  using program = await compile(graph, { constants: { x1: given.feeds.x1! } });
  const { y } = await program.run({ x0: given.feeds.x0! });
  expectClose(y, interpret(graph, given.feeds).y, 1e-6);
});
