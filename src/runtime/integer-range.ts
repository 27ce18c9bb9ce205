// Whether this processor's integer products are exact. Without VNNI, ONNX Runtime 1.30 adds neighbouring products of uint8
// and int8 in 16 bits, which saturate.

import { integerMatmul } from "../graph/ops.ts";
import { constant, input, trace } from "../graph/trace.ts";
import { compile } from "./onnxruntime-node.ts";

let known: Promise<boolean> | undefined;

/** Whether products of the largest uint8 and int8 numbers add up exactly; found out once. */
export function integerProductsAreExact(): Promise<boolean> {
  known ??= probe();
  return known;
}

async function probe(): Promise<boolean> {
  const [rows, inner, columns] = [4, 64, 32];
  const graph = trace(() => {
    const zero = constant({ dtype: "uint8", shape: [], data: Uint8Array.of(0) });
    return { product: integerMatmul(input("a", "uint8", [rows, inner]), input("b", "int8", [inner, columns]), zero) };
  });
  using program = await compile(graph, { threads: 1 });
  const { product } = await program.run({
    a: { dtype: "uint8", shape: [rows, inner], data: new Uint8Array(rows * inner).fill(255) },
    b: { dtype: "int8", shape: [inner, columns], data: new Int8Array(inner * columns).fill(127) },
  });
  const sums = product?.data as Int32Array;
  return sums.every((sum) => sum === inner * 255 * 127);
}
