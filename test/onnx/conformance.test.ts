// What ONNX Runtime's lowering refuses, and what it packs. Its operations are judged with other devices', in
// test/runtime/conformance.test.ts.

import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { InputError } from "../../src/error.ts";
import { causalAttention, matmul } from "../../src/graph/ops.ts";
import { input, trace } from "../../src/graph/trace.ts";
import { toOnnx } from "../../src/onnx/model.ts";
import { decodeModel } from "../../src/onnx/proto.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
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

test("constants of a large model lie outside the protobuf, in their own memory, and give the same", async () => {
  const given = new RandomInputs(8);
  const graph = trace(() => {
    const product = matmul(given.normal([3, 512]), given.normal([1024, 512]), { transB: true });
    return { y: matmul(product, given.normal([5, 1024]), { transB: true }) };
  });
  const { x0, ...bound } = given.feeds;
  const inside = toOnnx(graph, bound);
  expect(inside.external).toEqual([]);
  const outside = toOnnx(graph, bound, { insideBytes: 2 ** 21 });
  expect(outside.external).toHaveLength(1); // 2 MiB; that of 20 kB is small
  expect(outside.external[0]!.data.buffer).toBe(bound.x1!.data.buffer);
  expect(outside.bytes.length).toBeLessThan(25_000);
  expect(decodeModel(outside.bytes).graph.initializer.map(({ dataLocation = 0 }) => dataLocation)).toEqual([1, 0]);
  const feeds = { x0: new OrtTensor("float32", x0!.data as Float32Array, [3, 512]) };
  const run = async ({ bytes, external }: typeof inside) => {
    const session = await InferenceSession.create(bytes, { externalData: external });
    return (await session.run(feeds))["out:y"]!.data;
  };
  expect(await run(outside)).toEqual(await run(inside));
});

test("constants that are too many and small are refused before a byte is built", () => {
  const piece = new Float32Array(2 ** 18 - 1); // below 1 MiB; all constants are this one
  const tensor: Tensor = { dtype: "float32", shape: [piece.length], data: piece };
  const names = Array.from({ length: 2049 }, (_, i) => `w${i}`);
  const graph = trace(() => Object.fromEntries(names.map((name) => [name, input(name, "float32", tensor.shape)])));
  const bound = Object.fromEntries(names.map((name) => [name, tensor]));
  expect(() => toOnnx(graph, bound)).toThrow(InputError);
  expect(() => toOnnx(graph, bound)).toThrow(/onnx: a model holds 2147483647 bytes, this one has 2148524028 bytes/);
});
