// A graph as text, one node a line: what the tests compare and what a person reads.

import type { Graph } from "./trace.ts";
import { describe, type Node, type Value } from "./value.ts";

/** The graph's nodes in order, their outputs numbered from 0; inputs go by their names. */
export function print(graph: Graph): string {
  const names = new Map<Value, string>();
  const lines: string[] = [];
  let count = 0;
  for (const node of graph.nodes) {
    if (node.op === "input") {
      const [made] = node.outputs;
      const { name } = node.attributes;
      names.set(made, name);
      lines.push(`${name}: ${describe(made)}`);
      continue;
    }
    for (const made of node.outputs) names.set(made, `%${count++}`);
    const reads = node.inputs.map((read) => names.get(read)).join(", ");
    const made = node.outputs.map((output) => `${names.get(output)}: ${describe(output)}`).join(", ");
    lines.push(`${made} = ${node.op}(${reads})${attributes(node)}`);
  }
  for (const [name, output] of Object.entries(graph.outputs)) lines.push(`→ ${name} = ${names.get(output)}`);
  return lines.join("\n");
}

function attributes(node: Node): string {
  if (node.op === "constant") {
    const { data } = node.attributes.tensor;
    return data.length <= 4 ? ` ${Array.from(data as Float32Array).join(" ")}` : " …";
  }
  const shown = Object.entries(node.attributes)
    .filter(([name, set]) => set !== false && !(name === "alpha" && set === 1))
    .map(([name, set]) => (set === true ? name : `${name}=${Array.isArray(set) ? `[${set}]` : set}`));
  return shown.length > 0 ? ` {${shown.join(" ")}}` : "";
}
