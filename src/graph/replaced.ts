// The inputs that a graph gives new contents to. A runtime may write an output over the input that it replaces.

import type { Graph } from "./trace.ts";
import { type Input, sameShape } from "./value.ts";

/** The name by which an input is fed. */
export function inputName({ node }: Input): string {
  return node.attributes.name;
}

/** The outputs that take an input's place: those that have the name and the type of one. */
export function replacedInputs(graph: Graph): Set<string> {
  const inputs = new Map(graph.inputs.map((made) => [inputName(made), made]));
  const replaced = Object.entries(graph.outputs).filter(([name, output]) => {
    const found = inputs.get(name);
    return found?.dtype === output.dtype && sameShape(found.shape, output.shape);
  });
  return new Set(replaced.map(([name]) => name));
}
