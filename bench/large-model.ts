// A model with more constants than a protobuf holds (2 GiB): whether ONNX Runtime takes them, what that costs in memory,
// and whether its products are right. Run by `npx tsx bench/large-model.ts [GiB] [threads]`.

import { matmul } from "../src/graph/ops.ts";
import { input, trace } from "../src/graph/trace.ts";
import { cpuName, openDevice } from "../src/runtime/open-device.ts";
import type { Tensor, Tensors } from "../src/tensor/tensor.ts";

const [gib = "3", threads] = process.argv.slice(2);
const width = 8192; // a matrix has 2⁸ MiB
const layers = Math.ceil((Number(gib) * 2 ** 30) / (4 * width * width));

/** The matrix that moves a vector's numbers on by `shift` places and multiplies number `i` by 1, 2 or 1/2 in turn. */
function shifted(shift: number): Tensor {
  const data = new Float32Array(width * width);
  for (let row = 0; row < width; row++) data[row * width + ((row + shift) % width)] = factor(row);
  return { dtype: "float32", shape: [width, width], data };
}

function factor(row: number): number {
  return [1, 2, 0.5][row % 3] as number;
}

const graph = trace(() => {
  let x = input("x", "float32", [1, width]);
  for (let layer = 0; layer < layers; layer++) {
    x = matmul(x, input(`w${layer}`, "float32", [width, width]), { transB: true });
  }
  return { y: x };
});
const constants: Tensors = Object.fromEntries(Array.from({ length: layers }, (_, i) => [`w${i}`, shifted(i + 1)]));

let expected = Float32Array.from({ length: width }, (_, i) => 1 + (i % 97));
const x: Tensor = { dtype: "float32", shape: [1, width], data: expected };
for (let layer = 0; layer < layers; layer++) {
  const before = expected;
  expected = before.map((_, row) => factor(row) * (before[(row + layer + 1) % width] as number));
}

await using device = await openDevice(cpuName(threads === undefined ? undefined : Number(threads)));
const start = performance.now();
using program = await device.compile(graph, { constants });
const compiled = performance.now();
const { y } = await program.run({ x: device.put(x) });
const found = (await y!.read()).data;
const right = expected.every((value, i) => value === found[i]);
const weights = layers * width * width * 4;
console.log(`${layers} matrices, ${(weights / 2 ** 30).toFixed(2)} GiB of constants`);
console.log(
  `compiled in ${((compiled - start) / 1000).toFixed(1)} s, run in ${(performance.now() - compiled).toFixed(0)} ms`,
);
console.log(`peak memory ${(process.resourceUsage().maxRSS / 2 ** 20).toFixed(2)} GiB, with the constants themselves`);
console.log(right ? "every number is right" : "WRONG numbers");
process.exitCode = right ? 0 : 1;
