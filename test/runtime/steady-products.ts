// What this processor's products with weights of 4 bits do, for tests that rely on it.

import { quantizedMatmul } from "../../src/graph/ops.ts";
import { constant, input, trace } from "../../src/graph/trace.ts";
import { Random } from "../../src/tensor/random.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { type Compiled, compile, cpu1 } from "./program.ts";

async function rowsStandAlone(): Promise<boolean> {
  const [outputs, blocks] = [64, 2];
  const random = new Random(1);
  const codes = Uint8Array.from({ length: outputs * blocks * 16 }, () => random.below(256));
  const scales = Float32Array.from({ length: outputs * blocks }, () => random.normal());
  const graph = trace(() => ({
    y: quantizedMatmul(
      input("x", "float32", ["N", 32 * blocks]),
      constant({ dtype: "uint8", shape: [outputs, blocks, 16], data: codes }),
      constant({ dtype: "float32", shape: [outputs, blocks], data: scales }),
    ),
  }));
  const row = Float32Array.from({ length: 32 * blocks }, () => random.normal());
  const first = async (program: Compiled, rows: number) => {
    const data = new Float32Array(rows * row.length);
    for (let i = 0; i < rows; i++) data.set(row, i * row.length);
    const { y } = await program.run({ x: { dtype: "float32", shape: [rows, row.length], data } });
    return [...((y as Tensor<"float32">).data as Float32Array).subarray(0, outputs)].join();
  };
  using program = await compile(graph, { device: cpu1 });
  const alone = await first(program, 1);
  for (const rows of [2, 3, 4, 5, 16, 384]) if ((await first(program, rows)) !== alone) return false;
  return true;
}

/**
 * Whether a row times weights of 4 bits is the same bits however many rows are beside it. With AVX2 alone it is not
 * (ONNX Runtime 1.30).
 */
export const steadyProducts = await rowsStandAlone();
if (!steadyProducts) console.warn("products of 4 bits depend on their batch on this processor: not compared");
