// Products with bound weights at a real size on two threads: the same bits again and again, and a row's bits do not
// depend on what is computed beside it. Serving relies on that: a sequence's tokens are the same in any company.

import { describe, expect, test } from "vitest";
import { matmul, quantizedMatmul } from "../../src/graph/ops.ts";
import { input, trace } from "../../src/graph/trace.ts";
import type { Device } from "../../src/runtime/device.ts";
import { Random } from "../../src/tensor/random.ts";
import { sizeOf, type Tensor, type Tensors } from "../../src/tensor/tensor.ts";
import { type Compiled, compile, cpu1, cpu2 } from "./program.ts";
import { steadyProducts } from "./steady-products.ts";

const [inner, outer, most] = [512, 2048, 128];
const random = new Random(5);
const normal = (shape: readonly number[]): Tensor<"float32"> => ({
  dtype: "float32",
  shape,
  data: Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
});
const bytes = (shape: readonly number[]): Tensor<"uint8"> => ({
  dtype: "uint8",
  shape,
  data: Uint8Array.from({ length: sizeOf(shape) }, () => random.below(256)),
});

const x = normal([most, inner]);
const scales = normal([outer, inner / 32]);
const bound: Record<string, Tensors> = {
  float32: { weights: normal([outer, inner]) },
  "8 bits": { codes: bytes([outer, inner / 32, 32]), scales },
  "4 bits": { codes: bytes([outer, inner / 32, 16]), scales },
};

describe.each(Object.entries(bound))("%s", (name, tensors) => {
  const program = (device: Device) => {
    const graph = trace(() => {
      const rows = input("x", "float32", ["N", inner]);
      const [weights, ...more] = Object.entries(tensors).map(([name, { dtype, shape }]) => input(name, dtype, shape));
      return { y: more[0] ? quantizedMatmul(rows, weights!, more[0]) : matmul(rows, weights!, { transB: true }) };
    });
    return compile(graph, { device, constants: tensors });
  };

  test("gives the same bits every time", async () => {
    using compiled = await program(cpu2);
    for (const count of [1, 16]) {
      const expected = await product(compiled, 0, count);
      for (let repeat = 0; repeat < 40; repeat++) {
        expect(firstDifference(await product(compiled, 0, count), expected), `repeat ${repeat}`).toBe(-1);
      }
    }
  });

  const varies = name === "4 bits" && !steadyProducts;
  test.skipIf(varies)("gives a row the same bits, however many rows and threads there are", async () => {
    using one = await program(cpu1);
    using two = await program(cpu2);
    const whole = await product(two, 0, most);
    for (const compiled of [one, two]) {
      for (const count of [1, 2, 3, 4, 8, 16, 17, 64, most]) {
        for (const start of new Set([0, Math.min(5, most - count), most - count])) {
          const expected = whole.subarray(start * outer, (start + count) * outer);
          const found = await product(compiled, start, count);
          expect(firstDifference(found, expected), `rows ${start} … ${start + count}`).toBe(-1);
        }
      }
    }
  });
});

/** `count` rows of x from `start` on, multiplied in one run. */
async function product(program: Compiled, start: number, count: number): Promise<Float32Array> {
  const data = x.data.subarray(start * inner, (start + count) * inner);
  const { y } = await program.run({ x: { dtype: "float32", shape: [count, inner], data } });
  return y?.data as Float32Array;
}

function firstDifference(a: Float32Array, b: Float32Array): number {
  for (let i = 0; i < b.length; i++) if (!Object.is(a[i], b[i])) return i;
  return a.length === b.length ? -1 : b.length;
}
