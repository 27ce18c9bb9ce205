// Graphs as text.

import { expect, test } from "vitest";
import { add, matmul, reshape, rmsNorm, slice, softmax, sum, transpose } from "../../src/graph/ops.ts";
import { print } from "../../src/graph/print.ts";
import { constant, float, input, trace } from "../../src/graph/trace.ts";
import { zeros } from "../../src/tensor/tensor.ts";

test("nodes in order, inputs by name, attributes that say something", () => {
  const graph = trace(() => {
    const x = input("x", "float32", ["T", 4]);
    const normed = rmsNorm(x, input("scale", "float32", [4]), 0.5);
    const scores = matmul(normed, input("w", "float32", [6, 4]), { transB: true, alpha: 0.25 });
    const shifted = add(scores, constant(zeros("float32", [6])));
    const shares = softmax(add(shifted, float([1])));
    return { shares: reshape(shares, ["T", 2, 3]), total: sum(transpose(slice(shares, 1, 0, 3), [1, 0]), [0], true) };
  });
  expect(print(graph)).toMatchInlineSnapshot(`
    "x: float32[T, 4]
    scale: float32[4]
    %0: float32[T, 4], %1: float32[T, 1] = rmsNorm(x, scale) {epsilon=0.5}
    w: float32[6, 4]
    %2: float32[T, 6] = matmul(%0, w) {transB alpha=0.25}
    %3: float32[6] = constant() …
    %4: float32[T, 6] = add(%2, %3)
    %5: float32[1] = constant() 1
    %6: float32[T, 6] = add(%4, %5)
    %7: float32[T, 6] = softmax(%6)
    %8: float32[T, 2, 3] = reshape(%7) {shape=[T,2,3]}
    %9: float32[T, 3] = slice(%7) {axis=1 start=0 end=3}
    %10: float32[3, T] = transpose(%9) {perm=[1,0]}
    %11: float32[1, T] = sum(%10) {axes=[0] keepDims}
    → shares = %8
    → total = %11"
  `);
});

test("plain products hide their defaults", () => {
  const graph = trace(() => ({ y: matmul(input("a", "float32", [2, 3]), input("b", "float32", [3, 2])) }));
  expect(print(graph)).toMatchInlineSnapshot(`
    "a: float32[2, 3]
    b: float32[3, 2]
    %0: float32[2, 2] = matmul(a, b)
    → y = %0"
  `);
});
