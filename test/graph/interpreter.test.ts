// The oracle itself, on numbers worked out by hand.

import { expect, test } from "vitest";
import {
  add,
  concat,
  matmul,
  neg,
  quantizedMatmul,
  reshape,
  rmsNorm,
  rotary,
  scatterAdd,
  softmaxWeighted,
} from "../../src/graph/ops.ts";
import { float, input, trace } from "../../src/graph/trace.ts";
import { interpret } from "./interpreter.ts";

const given = (shape: readonly number[], ...data: number[]) => ({ shape, data });

test("it computes in float64", () => {
  const graph = trace(() => ({ y: add(input("x", "float32", []), float(1)) }));
  expect(interpret(graph, { x: given([], 2 ** -40) }).y?.data[0]).toBe(1 + 2 ** -40);
});

test("products, plain and transposed", () => {
  const [a, b] = [given([2, 2], 1, 2, 3, 4), given([2, 2], 5, 6, 7, 8)];
  const product = (transA: boolean, transB: boolean) => {
    const graph = trace(() => ({
      y: matmul(input("a", "float32", [2, 2]), input("b", "float32", [2, 2]), { transA, transB, alpha: 2 }),
    }));
    return [...(interpret(graph, { a, b }).y?.data ?? [])];
  };
  expect(product(false, false)).toEqual([38, 44, 86, 100]);
  expect(product(true, false)).toEqual([52, 60, 76, 88]);
  expect(product(false, true)).toEqual([34, 46, 78, 106]);
  expect(product(true, true)).toEqual([46, 62, 68, 92]);
});

test("products with codes of 8 and of 4 bits", () => {
  const width = 33;
  const product = (codes: number[]) => {
    const graph = trace(() => {
      const [x, scales] = [input("x", "float32", [1, width]), input("scales", "float32", [1, 2])];
      return { y: quantizedMatmul(x, input("codes", "uint8", [1, 2, codes.length / 2]), scales) };
    });
    const numbers = Array.from({ length: width }, (_, i) => (i === 1 ? 10 : i === 32 ? 100 : 0));
    return interpret(graph, {
      x: given([1, width], ...numbers),
      codes: given([1, 2, codes.length / 2], ...codes),
      scales: given([1, 2], 0.5, -3),
    }).y?.data[0];
  };
  const bytes = (length: number, from: Record<number, number>) => Array.from({ length }, (_, i) => from[i] ?? 0);
  expect(product(bytes(64, { 1: 130, 32: 127 }))).toBe(10 * 2 * 0.5 + 100 * -1 * -3);
  expect(product(bytes(32, { 0: 0xa0, 16: 0x07 }))).toBe(10 * 2 * 0.5 + 100 * -1 * -3);
});

test("attention to two positions, of which the second is masked", () => {
  const graph = trace(() => {
    const scores = add(input("s", "float32", [2, 2]), input("mask", "float32", [2, 2]));
    return { y: softmaxWeighted(scores, input("v", "float32", [2, 1])) };
  });
  const feeds = {
    s: given([2, 2], 5, 9, 0, Math.log(3)),
    mask: given([2, 2], 0, -Infinity, 0, 0),
    v: given([2, 1], 4, 8),
  };
  expect(interpret(graph, feeds).y?.data[0]).toBe(4);
  expect(interpret(graph, feeds).y?.data[1]).toBeCloseTo(7, 14);
});

test("a quarter turn takes (a, b) to (−b, a), by halves of each head", () => {
  const graph = trace(() => ({
    y: rotary(
      input("x", "float32", [1, 1, 8]),
      input("p", "int64", [1, 1]),
      input("cos", "float32", [2, 2]),
      input("sin", "float32", [2, 2]),
    ),
  }));
  const feeds = {
    x: given([1, 1, 8], 1, 2, 3, 4, 5, 6, 7, 8),
    p: given([1, 1], 1),
    cos: given([2, 2], 1, 1, 0, 0),
    sin: given([2, 2], 0, 0, 1, 1),
  };
  expect([...(interpret(graph, feeds).y?.data ?? [])]).toEqual([-3, -4, 1, 2, -7, -8, 5, 6]);
});

test("rows of length 5 under a norm of 5/√2", () => {
  const graph = trace(() => ({ y: rmsNorm(input("x", "float32", [1, 2]), float([1, 10]), 0) }));
  const [first, second] = interpret(graph, { x: given([1, 2], 3, 4) }).y?.data ?? [];
  expect(first).toBeCloseTo((3 * Math.SQRT2) / 5, 14);
  expect(second).toBeCloseTo((40 * Math.SQRT2) / 5, 14);
});

test("rows of equal index add up", () => {
  const graph = trace(() => ({
    y: scatterAdd(input("t", "float32", [3, 1]), input("i", "int32", [3]), input("r", "float32", [3, 1])),
  }));
  const feeds = { t: given([3, 1], 1, 2, 3), i: given([3], 2, 0, 2), r: given([3, 1], 10, 20, 40) };
  expect([...(interpret(graph, feeds).y?.data ?? [])]).toEqual([21, 2, 53]);
});

test("named dimensions come from the feeds, and must agree", () => {
  const graph = trace(() => {
    const x = input("x", "float32", ["T", 2]);
    return { y: add(reshape(x, [1, "T", 2]), input("z", "float32", ["T", 2])), n: concat([x, neg(x)], 0, "2T") };
  });
  const rows = (count: number) => ({ shape: [count, 2], data: new Float64Array(2 * count) });
  expect(interpret(graph, { x: rows(3), z: rows(3) })).toMatchObject({ y: { shape: [1, 3, 2] }, n: { shape: [6, 2] } });
  expect(() => interpret(graph, { x: rows(3), z: rows(2) })).toThrow("input: declared [T, 2], found [2,2]");
  expect(() => interpret(graph, { x: rows(3) })).toThrow("interpret: no feed for z");
});
