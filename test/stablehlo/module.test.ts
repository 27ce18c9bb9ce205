// The text of modules: what XLA reads, letter for letter, of graphs small enough to read.

import { expect, test } from "vitest";
import { gradient } from "../../src/autodiff/gradient.ts";
import {
  add,
  after,
  cast,
  gather,
  logSumExp,
  matmul,
  mul,
  reshape,
  rotary,
  scatterAdd,
  softmax,
} from "../../src/graph/ops.ts";
import { constant, float, type Graph, input, trace } from "../../src/graph/trace.ts";
import type { Value } from "../../src/graph/value.ts";
import { type StableHloOptions, toStableHlo } from "../../src/stablehlo/module.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

const x = () => input("x", "float32", [2, 3]);

/** The body of @main: its signature and instructions without the lines round them. */
function body(build: () => Record<string, Value>, options?: StableHloOptions): string {
  const { text } = toStableHlo(trace(build), options);
  return text
    .split("\n")
    .slice(1, -3)
    .map((line) => line.slice(2))
    .join("\n");
}

test("a whole module", () => {
  const graph = trace(() => ({ y: add(x(), float([1, 2, -0.5])), x: mul(x(), float(2)) }));
  const module = toStableHlo(graph);
  expect(module.inputs).toEqual(["x"]);
  expect(module.outputs).toEqual(["y", "x"]);
  expect(module.text).toMatchInlineSnapshot(`
    "module @crosslayer attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
      func.func public @main(%x: tensor<2x3xf32> {tf.aliasing_output = 1 : i32}) -> (tensor<2x3xf32>, tensor<2x3xf32>) {
        %0 = stablehlo.constant dense<"0x0000803F00000040000000BF"> : tensor<3xf32>
        %1 = stablehlo.broadcast_in_dim %0, dims = [1] : (tensor<3xf32>) -> tensor<2x3xf32>
        %2 = stablehlo.add %x, %1 : tensor<2x3xf32>
        %3 = stablehlo.constant dense<0x40000000> : tensor<f32>
        %4 = stablehlo.broadcast_in_dim %3, dims = [] : (tensor<f32>) -> tensor<2x3xf32>
        %5 = stablehlo.multiply %x, %4 : tensor<2x3xf32>
        return %2, %5 : tensor<2x3xf32>, tensor<2x3xf32>
      }
    }
    "
  `);
});

test("arguments and results keep the graph's order; one whose name and type an output has is donated", () => {
  const graph: Graph = trace(() => {
    const [a, b, c] = ["a", "b", "layers.0.attn.q"].map((name) => input(name, "float32", [2])) as [Value, Value, Value];
    return { c: add(a, b), "layers.0.attn.q": add(c, a), a: reshape(b, [1, 2]), b };
  });
  const { text, inputs, outputs } = toStableHlo(graph);
  expect(inputs).toEqual(["a", "b", "layers.0.attn.q"]);
  expect(outputs).toEqual(["c", "layers.0.attn.q", "a", "b"]);
  expect(text.split("\n").find((line) => line.includes("@main"))).toMatchInlineSnapshot(
    `"  func.func public @main(%a: tensor<2xf32>, %b: tensor<2xf32> {tf.aliasing_output = 3 : i32}, %layers.0.attn.q: tensor<2xf32> {tf.aliasing_output = 1 : i32}) -> (tensor<2xf32>, tensor<2xf32>, tensor<1x2xf32>, tensor<2xf32>) {"`,
  );
});

test("products: no transposition, float32 exact where asked, bfloat16 added up in float32", () => {
  const product = (options: StableHloOptions) =>
    body(() => {
      const [a, b] = [input("a", "float32", [4, 2, 3]), input("b", "float32", [5, 3])];
      return {
        y: matmul(a, b, { transB: true, alpha: 0.5 }),
        z: matmul(cast(a, "bfloat16"), cast(b, "bfloat16"), { transB: true, to: "float32" }),
      };
    }, options);
  expect(product({ precision: "highest" })).toMatchInlineSnapshot(`
    "func.func public @main(%a: tensor<4x2x3xf32>, %b: tensor<5x3xf32>) -> (tensor<4x2x5xf32>, tensor<4x2x5xf32>) {
      %0 = stablehlo.dot_general %a, %b, contracting_dims = [2] x [1], precision = [HIGHEST, HIGHEST] : (tensor<4x2x3xf32>, tensor<5x3xf32>) -> tensor<4x2x5xf32>
      %1 = stablehlo.constant dense<0x3F000000> : tensor<4x2x5xf32>
      %2 = stablehlo.multiply %0, %1 : tensor<4x2x5xf32>
      %3 = stablehlo.convert %a : (tensor<4x2x3xf32>) -> tensor<4x2x3xbf16>
      %4 = stablehlo.convert %b : (tensor<5x3xf32>) -> tensor<5x3xbf16>
      %5 = stablehlo.dot_general %3, %4, contracting_dims = [2] x [1] : (tensor<4x2x3xbf16>, tensor<5x3xbf16>) -> tensor<4x2x5xf32>
      return %2, %5 : tensor<4x2x5xf32>, tensor<4x2x5xf32>"
  `);
  expect(product({ precision: "highest" }).replace(", precision = [HIGHEST, HIGHEST]", "")).toBe(product({}));
});

test("rows that are looked up, and their gradient", () => {
  const text = body(() => {
    const [table, rows] = [input("table", "float32", [7, 3]), input("rows", "int32", [5])];
    return { y: gather(table, rows), z: scatterAdd(table, rows, input("more", "float32", [5, 3])) };
  });
  expect(text).toMatchInlineSnapshot(`
    "func.func public @main(%table: tensor<7x3xf32>, %rows: tensor<5xi32>, %more: tensor<5x3xf32>) -> (tensor<5x3xf32>, tensor<7x3xf32>) {
      %0 = "stablehlo.gather"(%table, %rows) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 3>, indices_are_sorted = false}> : (tensor<7x3xf32>, tensor<5xi32>) -> tensor<5x3xf32>
      %1 = "stablehlo.scatter"(%table, %rows, %more) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, indices_are_sorted = false, unique_indices = false}> ({
      ^bb0(%.old: tensor<f32>, %.more: tensor<f32>):
        %.sum = stablehlo.add %.old, %.more : tensor<f32>
        stablehlo.return %.sum : tensor<f32>
      }) : (tensor<7x3xf32>, tensor<5xi32>, tensor<5x3xf32>) -> tensor<7x3xf32>
      return %0, %1 : tensor<5x3xf32>, tensor<7x3xf32>"
  `);
});

test("no argument's name is hidden within a region", () => {
  const text = body(() => {
    const [table, rows] = [input("old", "float32", [7, 3]), input("sum", "int32", [5])];
    return { y: scatterAdd(table, rows, input("more", "float32", [5, 3])) };
  });
  const inner = [...text.matchAll(/(%[\w.]+)(?:: tensor<f32>| = stablehlo\.add)/g)].map(([, name]) => name);
  expect(inner).toEqual(["%.old", "%.more", "%.sum"]);
});

test("sums and softmaxes of 16-bit numbers are float32 between", () => {
  expect(body(() => ({ y: logSumExp(input("x", "bfloat16", [2, 3])) }))).toMatchInlineSnapshot(`
    "func.func public @main(%x: tensor<2x3xbf16>) -> (tensor<2xbf16>) {
      %0 = stablehlo.convert %x : (tensor<2x3xbf16>) -> tensor<2x3xf32>
      %1 = stablehlo.constant dense<0xFF800000> : tensor<f32>
      %2 = stablehlo.reduce(%0 init: %1) applies stablehlo.maximum across dimensions = [1] : (tensor<2x3xf32>, tensor<f32>) -> tensor<2xf32>
      %3 = stablehlo.broadcast_in_dim %2, dims = [0] : (tensor<2xf32>) -> tensor<2x3xf32>
      %4 = stablehlo.subtract %0, %3 : tensor<2x3xf32>
      %5 = stablehlo.exponential %4 : tensor<2x3xf32>
      %6 = stablehlo.constant dense<0x00000000> : tensor<f32>
      %7 = stablehlo.reduce(%5 init: %6) applies stablehlo.add across dimensions = [1] : (tensor<2x3xf32>, tensor<f32>) -> tensor<2xf32>
      %8 = stablehlo.log %7 : tensor<2xf32>
      %9 = stablehlo.add %2, %8 : tensor<2xf32>
      %10 = stablehlo.convert %9 : (tensor<2xf32>) -> tensor<2xbf16>
      return %10 : tensor<2xbf16>"
  `);
});

test("what waits stands behind a barrier", () => {
  expect(body(() => ({ y: after(x(), input("signal", "float32", [])) }))).toMatchInlineSnapshot(`
    "func.func public @main(%x: tensor<2x3xf32>, %signal: tensor<f32>) -> (tensor<2x3xf32>) {
      %0:2 = stablehlo.optimization_barrier %x, %signal : tensor<2x3xf32>, tensor<f32>
      return %0#0 : tensor<2x3xf32>"
  `);
});

test("constant positions from 0 look nothing up", () => {
  const turned = (positions: bigint[]) =>
    body(() => {
      const table = (name: string) => input(name, "float32", [4, 1]);
      const data = BigInt64Array.from(positions);
      const places = constant({ dtype: "int64", shape: [2, 2], data });
      return { y: rotary(input("x", "float32", [2, 2, 2]), places, table("cos"), table("sin")) };
    });
  expect(turned([0n, 1n, 0n, 1n])).not.toContain("gather");
  expect(turned([0n, 1n, 0n, 2n])).toContain("gather");
});

test("constants: by their bits, one value where all elements are equal", () => {
  const tensors: Tensor[] = [
    { dtype: "float32", shape: [], data: Float32Array.of(Number.NEGATIVE_INFINITY) },
    { dtype: "float32", shape: [3], data: Float32Array.of(1, 1, 1) },
    { dtype: "float32", shape: [2], data: Float32Array.of(0, -0) },
    { dtype: "bfloat16", shape: [2, 1], data: Uint16Array.of(0x3f80, 0x4000) },
    { dtype: "float16", shape: [2], data: Uint16Array.of(0x3c00, 0x3c00) },
    { dtype: "int64", shape: [2], data: BigInt64Array.of(-1n, 2n ** 40n) },
    { dtype: "int64", shape: [1], data: BigInt64Array.of(-5n) },
    { dtype: "int8", shape: [], data: Int8Array.of(-128) },
    { dtype: "uint8", shape: [3], data: Uint8Array.of(1, 2, 255) },
    { dtype: "bool", shape: [2], data: Uint8Array.of(0, 1) },
    { dtype: "float32", shape: [0, 2], data: new Float32Array(0) },
    { dtype: "int64", shape: [1], data: BigInt64Array.of(-5n) },
  ];
  const text = body(() => Object.fromEntries(tensors.map((tensor, i) => [`y${i}`, constant(tensor)])));
  expect(text).toMatchInlineSnapshot(`
    "func.func public @main() -> (tensor<f32>, tensor<3xf32>, tensor<2xf32>, tensor<2x1xbf16>, tensor<2xf16>, tensor<2xi64>, tensor<1xi64>, tensor<i8>, tensor<3xui8>, tensor<2xi1>, tensor<0x2xf32>, tensor<1xi64>) {
      %0 = stablehlo.constant dense<0xFF800000> : tensor<f32>
      %1 = stablehlo.constant dense<0x3F800000> : tensor<3xf32>
      %2 = stablehlo.constant dense<"0x0000000000000080"> : tensor<2xf32>
      %3 = stablehlo.constant dense<"0x803F0040"> : tensor<2x1xbf16>
      %4 = stablehlo.constant dense<0x3C00> : tensor<2xf16>
      %5 = stablehlo.constant dense<"0xFFFFFFFFFFFFFFFF0000000000010000"> : tensor<2xi64>
      %6 = stablehlo.constant dense<-5> : tensor<1xi64>
      %7 = stablehlo.constant dense<-128> : tensor<i8>
      %8 = stablehlo.constant dense<"0x0102FF"> : tensor<3xui8>
      %9 = stablehlo.constant dense<"0x0001"> : tensor<2xui8>
      %10 = stablehlo.convert %9 : (tensor<2xui8>) -> tensor<2xi1>
      %11 = stablehlo.constant dense<> : tensor<0x2xf32>
      return %0, %1, %2, %3, %4, %5, %6, %7, %8, %10, %11, %6 : tensor<f32>, tensor<3xf32>, tensor<2xf32>, tensor<2x1xbf16>, tensor<2xf16>, tensor<2xi64>, tensor<1xi64>, tensor<i8>, tensor<3xui8>, tensor<2xi1>, tensor<0x2xf32>, tensor<1xi64>"
  `);
});

test("equal instructions are written once", () => {
  const text = body(() => {
    const [a, b] = [logSumExp(x()), softmax(x())];
    return { a, b };
  });
  expect(text.match(/stablehlo\.exponential/g)).toHaveLength(1);
});

test("a named dimension is refused", () => {
  expect(() => body(() => ({ y: add(input("x", "float32", ["T", 2]), float(1)) }))).toThrow(
    "stablehlo: input x: needs fixed dimensions, found [T, 2]",
  );
});

test("names that MLIR does not take go by their places", () => {
  const { text, inputs } = toStableHlo(trace(() => ({ y: add(input("a b", "float32", [2]), float(1)) })));
  expect(inputs).toEqual(["a b"]);
  expect(text).toContain("@main(%.arg0: tensor<2xf32>)");
});

test("a loss and its gradient: the whole way", () => {
  const text = body(() => {
    const w = input("w", "float32", [2, 3]);
    const loss = reshape(logSumExp(reshape(matmul(input("x", "float32", [1, 3]), w, { transB: true }), [2])), []);
    return { loss, w: gradient(loss, [w])[0] as Value };
  });
  expect(text).toMatchInlineSnapshot(`
    "func.func public @main(%w: tensor<2x3xf32> {tf.aliasing_output = 1 : i32}, %x: tensor<1x3xf32>) -> (tensor<f32>, tensor<2x3xf32>) {
      %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [1] : (tensor<1x3xf32>, tensor<2x3xf32>) -> tensor<1x2xf32>
      %1 = stablehlo.reshape %0 : (tensor<1x2xf32>) -> tensor<2xf32>
      %2 = stablehlo.constant dense<0xFF800000> : tensor<f32>
      %3 = stablehlo.reduce(%1 init: %2) applies stablehlo.maximum across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
      %4 = stablehlo.broadcast_in_dim %3, dims = [] : (tensor<f32>) -> tensor<2xf32>
      %5 = stablehlo.subtract %1, %4 : tensor<2xf32>
      %6 = stablehlo.exponential %5 : tensor<2xf32>
      %7 = stablehlo.constant dense<0x00000000> : tensor<f32>
      %8 = stablehlo.reduce(%6 init: %7) applies stablehlo.add across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
      %9 = stablehlo.log %8 : tensor<f32>
      %10 = stablehlo.add %3, %9 : tensor<f32>
      %11 = stablehlo.broadcast_in_dim %8, dims = [] : (tensor<f32>) -> tensor<2xf32>
      %12 = stablehlo.divide %6, %11 : tensor<2xf32>
      %13 = stablehlo.constant dense<0x3F800000> : tensor<f32>
      %14 = stablehlo.reshape %13 : (tensor<f32>) -> tensor<1xf32>
      %15 = stablehlo.broadcast_in_dim %14, dims = [0] : (tensor<1xf32>) -> tensor<2xf32>
      %16 = stablehlo.multiply %12, %15 : tensor<2xf32>
      %17 = stablehlo.reshape %16 : (tensor<2xf32>) -> tensor<1x2xf32>
      %18 = stablehlo.dot_general %17, %x, contracting_dims = [0] x [0] : (tensor<1x2xf32>, tensor<1x3xf32>) -> tensor<2x3xf32>
      return %10, %18 : tensor<f32>, tensor<2x3xf32>"
  `);
});
