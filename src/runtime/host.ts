// A device that is plain JavaScript: it runs graphs node by node, in float64, and keeps every value in its own dtype. Slow,
// needs nothing, runs everywhere: what other runtimes are compared with.

import { inputName, replacedInputs } from "../graph/replaced.ts";
import { specialize } from "../graph/specialize.ts";
import type { Graph } from "../graph/trace.ts";
import type { Node, Value } from "../graph/value.ts";
import { alone } from "../tensor/layout.ts";
import { type Tensor, type Tensors, tensorOf } from "../tensor/tensor.ts";
import type { Buffers, CompileOptions, Device, Program, Traits } from "./device.ts";
import { type Numbers, numbersOf } from "./host-arrays.ts";
import { cleared, HostBuffer } from "./host-buffer.ts";
import { freeHostBytes } from "./host-memory.ts";
import { computeOnHost } from "./host-operations.ts";

/** The device that needs nothing. */
export function openHost(): Device {
  return new HostDevice();
}

class HostDevice implements Device {
  readonly name = "host";
  readonly runtime = `javascript ${process.versions.v8}`;
  readonly kind = "JavaScript";
  readonly traits: Traits = {
    ...{ memory: "host", shapes: "any", exactIntegerSums: true, repeatable: true, precision: "float32" },
    ...{ attention: "blocks", attentionBlock: 128, runsAhead: 0, logitElements: 4 << 20, scoredTokens: 2048 },
    mesh: alone,
  };

  freeBytes(): number {
    return freeHostBytes();
  }

  put(tensor: Tensor): HostBuffer {
    return new HostBuffer(tensor);
  }

  async clear(buffers: Buffers): Promise<Buffers> {
    return cleared(buffers);
  }

  async compile(graph: Graph, { constants = {} }: CompileOptions = {}): Promise<Program> {
    return new HostProgram(graph, constants);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** A graph without named dimensions, and which node reads a value last. */
interface Fixed {
  readonly sizes: string;
  readonly graph: Graph;
  readonly lastUse: ReadonlyMap<Value, Node>;
}

class HostProgram implements Program {
  readonly #graph: Graph;
  readonly #constants: Tensors;
  readonly #replaced: ReadonlySet<string>;
  #fixed: Fixed | undefined;
  #seconds = 0;

  constructor(graph: Graph, constants: Tensors) {
    this.#graph = graph;
    this.#constants = constants;
    this.#replaced = replacedInputs(graph);
  }

  async run(inputs: Buffers): Promise<Buffers> {
    const start = performance.now();
    const { graph, lastUse } = this.#fixedFor(inputs);
    const values = new Map<Value, Tensor>();
    for (const node of graph.nodes) {
      for (const [i, made] of this.#compute(node, inputs, values).entries()) values.set(node.outputs[i] as Value, made);
      for (const read of node.inputs) if (lastUse.get(read) === node) values.delete(read);
    }
    const outputs = Object.entries(graph.outputs).map(([name, output]) => {
      const made = values.get(output) as Tensor;
      if (!this.#replaced.has(name)) return [name, new HostBuffer(made)] as const;
      const place = inputs[name] as HostBuffer;
      if (made !== place.tensor) place.tensor.data.set(made.data as never);
      return [name, place] as const;
    });
    this.#seconds += (performance.now() - start) / 1000;
    return Object.fromEntries(outputs);
  }

  get seconds(): number {
    return this.#seconds;
  }

  [Symbol.dispose](): void {}

  #compute(node: Node, inputs: Buffers, values: ReadonlyMap<Value, Tensor>): readonly Tensor[] {
    if (node.op === "input") return [this.#given(node.attributes.name, inputs)];
    if (node.op === "constant") return [node.attributes.tensor];
    const read = node.inputs.map((value) => numbersOf(values.get(value) as Tensor));
    const made = computeOnHost(node, read);
    return node.outputs.map(({ dtype, index }: Value) => {
      const { shape, data } = made[index] as Numbers;
      return tensorOf(dtype, shape, data);
    });
  }

  /** The graph for the inputs' sizes; the last one made is kept. */
  #fixedFor(inputs: Buffers): Fixed {
    const known: Record<string, number> = {};
    for (const made of this.#graph.inputs) {
      const { shape } = this.#given(inputName(made), inputs);
      for (const [axis, dim] of made.shape.entries()) if (typeof dim === "string") known[dim] = shape[axis] as number;
    }
    const sizes = JSON.stringify(known);
    if (this.#fixed?.sizes === sizes) return this.#fixed;
    const graph = specialize(this.#graph, known);
    const outputs = new Set(Object.values(graph.outputs));
    const uses = graph.nodes.flatMap((node) =>
      node.inputs.filter((read) => !outputs.has(read)).map((read) => [read, node] as const),
    );
    this.#fixed = { sizes, graph, lastUse: new Map(uses) };
    return this.#fixed;
  }

  #given(name: string, inputs: Buffers): Tensor {
    const tensor = this.#constants[name] ?? (inputs[name] as HostBuffer | undefined)?.tensor;
    if (!tensor) throw new TypeError(`run: no tensor for input ${name}`);
    return tensor;
  }
}
