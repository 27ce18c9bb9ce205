// Graphs run on the CPU, tensors in and tensors out.

import type { Graph } from "../../src/graph/trace.ts";
import { type Device, putAll, readAll } from "../../src/runtime/device.ts";
import { openDevice } from "../../src/runtime/open-device.ts";
import type { Tensors } from "../../src/tensor/tensor.ts";

/** The CPU with one thread, and with two. */
export const [cpu1, cpu2]: readonly [Device, Device] = [await openDevice("cpu:1"), await openDevice("cpu:2")];

/** A program of tensors. */
export interface Compiled extends Disposable {
  run(tensors: Tensors): Promise<Tensors>;
}

/** A compiled graph; outputs that replace inputs are written over the tensors given. */
export async function compile(
  graph: Graph,
  { device = cpu2, constants }: { device?: Device; constants?: Tensors } = {},
): Promise<Compiled> {
  const program = await device.compile(graph, { constants });
  return {
    run: async (tensors) => readAll(await program.run(putAll(device, tensors))),
    [Symbol.dispose]: () => program[Symbol.dispose](),
  };
}
