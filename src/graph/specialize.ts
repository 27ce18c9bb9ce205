// A graph for given sizes: the same nodes with a number for every named dimension. Knows no operation but `concat`,
// whose sum of named sizes has a name of its own, which follows from its parts.

import { resolve } from "./dim.ts";
import { type Graph, nodeLike, scope, trace } from "./trace.ts";
import type { Node, Shape, Value } from "./value.ts";

/** `graph` with `sizes` for its named dimensions; throws a TypeError naming a dimension whose size is missing. */
export function specialize(graph: Graph, sizes: Readonly<Record<string, number>>): Graph {
  const known: Record<string, number> = { ...sizes };
  const made = new Map<Value, Value>();
  const fixed = (shape: Shape) => shape.map((dim) => resolve(dim, known));
  const copy = (original: Node): Node => {
    const read = (value: Value) => made.get(value) as Value;
    if (original.op === "concat") {
      const { axis } = original.attributes;
      const total = original.outputs[0].shape[axis];
      const lengths = original.inputs.map((part) => read(part).shape[axis] as number);
      if (typeof total === "string") known[total] = lengths.reduce((sum, length) => sum + length, 0);
    }
    const isShaped = original.op === "reshape" || original.op === "expand";
    const attributes = isShaped ? { shape: fixed(original.attributes.shape) } : original.attributes;
    const types = original.outputs.map(({ dtype, shape }) => ({ dtype, shape: fixed(shape) }));
    return nodeLike(original, read, { attributes, types });
  };
  return trace(() => {
    for (const original of graph.nodes) {
      const copied = original.scope === "" ? copy(original) : scope(original.scope, () => copy(original));
      for (const output of original.outputs) made.set(output, copied.outputs[output.index] as Value);
    }
    return Object.fromEntries(Object.entries(graph.outputs).map(([name, output]) => [name, made.get(output) as Value]));
  });
}
