// The embedding's gradient at a real size, again and again on two threads: ONNX Runtime 1.30 loses updates of repeated
// rows in ScatterND, which small tests do not show. Rows are whole numbers, so sums are exact in any order.

import { expect, test } from "vitest";
import { gradient } from "../../src/autodiff/gradient.ts";
import { expand, gather, mul, scatterAdd, sum } from "../../src/graph/ops.ts";
import { float, input, trace } from "../../src/graph/trace.ts";
import type { Value } from "../../src/graph/value.ts";
import { Random } from "../../src/tensor/random.ts";
import { compile } from "./program.ts";

const [vocab, width, tokens, repeats] = [2048, 256, 4096, 90];

/** From as uneven as a text's tokens to nearly all on a few rows, where two threads meet most often. */
const draws = [4, 32, 256].map(drawn);

test("scatterAdd loses no update", async () => {
  const graph = trace(() => ({
    alone: scatterAdd(
      expand(float(0), [vocab, width]),
      input("indices", "int32", [tokens]),
      input("rows", "float32", [tokens, width]),
    ),
  }));
  using program = await compile(graph);
  for (let repeat = 0; repeat < repeats; repeat++) {
    const { indices, rows, expected } = draws[repeat % draws.length] as Draw;
    const { alone } = await program.run({ indices, rows });
    expect(firstDifference(alone?.data as Float32Array, expected), `repeat ${repeat}`).toBe(-1);
  }
});

test("nor does the gradient of an embedding", async () => {
  const graph = trace(() => {
    const table = input("table", "float32", [vocab, width]);
    const read = gather(table, input("indices", "int32", [tokens]));
    const loss = sum(mul(read, input("rows", "float32", [tokens, width])), [0, 1]);
    return { loss, gradient: gradient(loss, [table])[0] as Value };
  });
  using program = await compile(graph);
  const table = { dtype: "float32", shape: [vocab, width], data: new Float32Array(vocab * width).fill(1) } as const;
  for (let repeat = 0; repeat < repeats; repeat++) {
    const { indices, rows, expected } = draws[repeat % draws.length] as Draw;
    const found = await program.run({ table, indices, rows });
    expect(firstDifference(found.gradient?.data as Float32Array, expected), `repeat ${repeat}`).toBe(-1);
  }
});

type Draw = ReturnType<typeof drawn>;

/** Token ids that crowd towards 0 the more, the higher `power`; rows of small whole numbers; their sums by a plain loop. */
function drawn(power: number) {
  const random = new Random(power);
  const indices = Int32Array.from({ length: tokens }, () => Math.floor(vocab * random.uniform() ** power));
  const rows = Float32Array.from({ length: tokens * width }, (_, i) => ((i * 7 + power) % 13) - 6);
  const expected = new Float32Array(vocab * width);
  for (const [token, row] of indices.entries()) {
    for (let i = 0; i < width; i++) expected[row * width + i]! += rows[token * width + i]!;
  }
  return {
    indices: { dtype: "int32", shape: [tokens], data: indices },
    rows: { dtype: "float32", shape: [tokens, width], data: rows },
    expected,
  } as const;
}

function firstDifference(a: Float32Array, b: Float32Array): number {
  for (let i = 0; i < b.length; i++) if (a[i] !== b[i]) return i;
  return a.length === b.length ? -1 : b.length;
}
