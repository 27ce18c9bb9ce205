// Rounded rows against plain loops: how far off they are, and that integer attention computes what it says.

import fc from "fast-check";
import { expect, test } from "vitest";
import { matmul, mul, softmax } from "../../src/graph/ops.ts";
import { input, trace } from "../../src/graph/trace.ts";
import { quantizeRows } from "../../src/kv/kv-quantization.ts";
import { integerProduct, positiveRows, signedRows } from "../../src/model/integer-rows.ts";
import { Random } from "../../src/tensor/random.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { compile, cpu1 } from "../runtime/program.ts";

const [heads, width] = [2, 8];

test("rows are restored to within half a step of their head's largest number", async () => {
  const graph = trace(() => {
    const { codes, scales, restored } = quantizeRows(input("x", "float32", ["N", heads * width]), heads, width);
    return { codes, scales, restored };
  });
  using program = await compile(graph, { device: cpu1 });
  const number = fc.oneof(
    fc.double({ min: -1e3, max: 1e3, noNaN: true }),
    fc.constantFrom(0, 1e-30, -1e-6, 2 ** -14, 6e4),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(number, { minLength: heads * width, maxLength: heads * width }), async (numbers) => {
      const data = Float32Array.from(numbers);
      const found = await program.run({ x: { dtype: "float32", shape: [1, heads * width], data } });
      const restored = (found.restored as Tensor<"float32">).data;
      for (let head = 0; head < heads; head++) {
        const row = data.subarray(head * width, (head + 1) * width);
        const step = (Math.max(...row.map(Math.abs)) / 127 + 2 ** -14) * (1 + 2 ** -10);
        for (const [i, x] of row.entries()) {
          expect(Math.abs((restored[head * width + i] as number) - x)).toBeLessThanOrEqual(0.51 * step);
        }
      }
    }),
    { numRuns: 300 },
  );
});

// Where sums of two products saturate, graphs use the reduced rounding alone.
const roundings = cpu1.traits.exactIntegerSums ? (["full", "reduced"] as const) : (["reduced"] as const);

test.each(roundings)("integer products are near float ones, rounding %s", async (rounding) => {
  const graph = trace(() => {
    const [q, k] = [input("q", "float32", [2, 5, 64]), input("k", "int8", [2, 64, 33])];
    const weights = softmax(input("s", "float32", [2, 5, 33]));
    const v = input("v", "int8", [2, 33, 64]);
    const { largest, step, ...rows } = positiveRows(weights, rounding);
    return {
      scores: integerProduct(signedRows(q, rounding), k),
      mean: integerProduct({ ...rows, scales: mul(largest, step) }, v),
      weights,
    };
  });
  using program = await compile(graph);
  const random = new Random(3);
  const floats = (shape: number[]): Tensor<"float32"> => {
    const size = shape.reduce((a, b) => a * b);
    return { dtype: "float32", shape, data: Float32Array.from({ length: size }, () => random.normal()) };
  };
  const codes = (shape: number[]): Tensor<"int8"> => {
    const size = shape.reduce((a, b) => a * b);
    return { dtype: "int8", shape, data: Int8Array.from({ length: size }, () => random.below(255) - 127) };
  };
  const feeds = { q: floats([2, 5, 64]), k: codes([2, 64, 33]), s: floats([2, 5, 33]), v: codes([2, 33, 64]) };
  const found = await program.run(feeds);
  const exact = trace(() => ({
    y: matmul(input("a", "float32", [2, "M", "K"]), input("b", "float32", [2, "K", "N"])),
  }));
  using product = await compile(exact);
  const widened = ({ shape, data }: Tensor<"int8">): Tensor => ({
    dtype: "float32",
    shape,
    data: Float32Array.from(data),
  });
  for (const [name, a, b] of [
    ["scores", feeds.q, feeds.k],
    ["mean", found.weights as Tensor, feeds.v],
  ] as const) {
    const { y } = await product.run({ a, b: widened(b) });
    const [got, right] = [found[name]?.data as Float32Array, y?.data as Float32Array];
    const square = (values: Iterable<number>) => [...values].reduce((sum, x) => sum + x * x, 0);
    const off = Math.sqrt(square(right.map((x, i) => x - (got[i] as number))) / square(right));
    expect(off).toBeGreaterThan(1e-4);
    expect(off).toBeLessThan(rounding === "full" ? 0.01 : 0.02);
  }
});
