// How much memory a graph needs to run, from its nodes alone: every value lives from its node to its last user. The
// runtime may order nodes otherwise and reuses freed memory imperfectly, so this is an estimate.

import type { Graph } from "../graph/trace.ts";
import { fixedShape, type Node, type Value } from "../graph/value.ts";
import { bytesPer } from "../tensor/dtype.ts";
import { sizeOf } from "../tensor/tensor.ts";

/** Bytes of a graph's inputs and outputs together, and the most that is alive between them at one time. */
export function graphMemory(graph: Graph): { inputs: number; outputs: number; peak: number } {
  const outputs = new Set(Object.values(graph.outputs));
  const uses = new Map<Value, number>();
  for (const { inputs } of graph.nodes)
    for (const read of inputs) uses.set(owner(read), (uses.get(owner(read)) ?? 0) + 1);
  for (const output of outputs) uses.set(owner(output), (uses.get(owner(output)) ?? 0) + 1);

  let alive = 0;
  let peak = 0;
  for (const node of graph.nodes) {
    if (!isHeld(node)) continue;
    for (const made of node.outputs) if (uses.has(made)) alive += bytesOf(made);
    peak = Math.max(peak, alive);
    for (const read of node.inputs) {
      const value = owner(read);
      const left = (uses.get(value) as number) - 1;
      uses.set(value, left);
      if (left === 0 && isHeld(value.node)) alive -= bytesOf(value);
    }
  }
  const total = (values: Iterable<Value>) => [...values].reduce((sum, value) => sum + bytesOf(value), 0);
  return { inputs: total(graph.inputs), outputs: total(outputs), peak };
}

/** The value whose memory this is: reshaping gives the same memory another shape. */
function owner(value: Value): Value {
  return value.node.op === "reshape" ? owner(value.node.inputs[0]) : value;
}

function isHeld({ op }: Node): boolean {
  return op !== "input" && op !== "constant" && op !== "reshape";
}

function bytesOf({ dtype, shape }: Value): number {
  return bytesPer[dtype] * sizeOf(fixedShape(shape, "graph memory"));
}
