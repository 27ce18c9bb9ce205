// Attention in pieces against plain loops, where one position takes nearly all of the weight (an attention sink): what the
// others give must not be lost for it.

import { expect, test } from "vitest";
import { reshape } from "../../src/graph/ops.ts";
import { input, trace } from "../../src/graph/trace.ts";
import type { Value } from "../../src/graph/value.ts";
import { attendPieces, mergePieces } from "../../src/kv/piece-attention.ts";
import { signedRows } from "../../src/model/integer-rows.ts";
import { Random } from "../../src/tensor/random.ts";
import { sizeOf, type Tensor } from "../../src/tensor/tensor.ts";
import { compile, cpu1 } from "../runtime/program.ts";

const [headDim, positions] = [16, 1024];

/** How far attention in pieces of `size` is from what it should be, a sink at the first position: relative. */
async function errorOf(size: number, seed: number): Promise<number> {
  const count = positions / size;
  const graph = trace(() => {
    const attended = attendPieces(
      signedRows(input("queries", "float32", [1, 1, 1, headDim]), "full"),
      {
        count,
        keys: input("keys", "int8", [1, 1, headDim, positions]),
        values: input("values", "int8", [1, 1, count, size, headDim]),
        scales: {
          keys: input("keyScales", "float32", [1, 1, 1, positions]),
          values: input("valueScales", "float32", [1, 1, 1, positions]),
        },
      },
      "full",
    );
    const rows = (x: Value) => reshape(x, [count, 1, 1, x.shape.at(-1) as number]);
    const all = { sums: rows(attended.sums), weights: rows(attended.weights) };
    const pieces = input("pieces", "int32", [1, count]);
    const mask = input("mask", "float32", [1, 1, 1, count]);
    return { y: mergePieces(all, pieces, mask, { heads: 1, kvHeads: 1, headDim }) };
  });
  using program = await compile(graph, { device: cpu1 });

  const random = new Random(seed);
  const [queries, keyScales, valueScales] = [
    Float32Array.from({ length: headDim }, () => random.below(2) * 2 - 1), // no query is rounded
    new Float32Array(positions).fill(1 / 100),
    new Float32Array(positions).fill(1 / 100),
  ];
  const keys = Int8Array.from({ length: headDim * positions }, () => Math.round(15 * random.normal()));
  for (let d = 0; d < headDim; d++) keys[d * positions] = 63 * (queries[d] as number); // the sink's score is 10
  const values = Int8Array.from({ length: positions * headDim }, () => Math.round(30 * random.normal()) + 40);
  const { y } = await program.run({
    queries: floats([1, 1, 1, headDim], queries),
    keys: { dtype: "int8", shape: [1, 1, headDim, positions], data: keys },
    values: { dtype: "int8", shape: [1, 1, count, size, headDim], data: values },
    keyScales: floats([1, 1, 1, positions], keyScales),
    valueScales: floats([1, 1, 1, positions], valueScales),
    pieces: { dtype: "int32", shape: [1, count], data: Int32Array.from({ length: count }, (_, i) => i) },
    mask: floats([1, 1, 1, count], new Float32Array(count)),
  });

  const weights = Array.from({ length: positions }, (_, t) => {
    let score = 0;
    for (let d = 0; d < headDim; d++) score += ((queries[d] as number) * (keys[d * positions + t] as number)) / 100;
    return Math.exp(score);
  });
  const total = weights.reduce((sum, weight) => sum + weight);
  expect((weights[0] as number) / total).toBeGreaterThan(0.8);
  let [off, whole] = [0, 0];
  for (let d = 0; d < headDim; d++) {
    const exact = weights.reduce((sum, w, t) => sum + (w / total) * ((values[t * headDim + d] as number) / 100), 0);
    off += ((y?.data[d] as number) - exact) ** 2;
    whole += exact ** 2;
  }
  return Math.sqrt(off / whole);
}

function floats(shape: readonly number[], data: Float32Array): Tensor<"float32"> {
  expect(data.length).toBe(sizeOf(shape));
  return { dtype: "float32", shape, data };
}

test("a sink costs the others of its own piece alone", async () => {
  for (const seed of [1, 2, 3]) {
    const inPieces = await errorOf(128, seed);
    expect(inPieces).toBeLessThan(0.02);
    expect(await errorOf(positions, seed)).toBeGreaterThan(3 * inPieces); // with one scale for all
  }
});
