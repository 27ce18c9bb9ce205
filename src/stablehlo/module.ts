// A graph as the text of a StableHLO module, which any XLA compiles. Knows no runtime.

import { inputName } from "../graph/replaced.ts";
import type { Graph } from "../graph/trace.ts";
import { describe, fixedShape, type Input, type Node, type Value } from "../graph/value.ts";
import { Body, type Ref } from "./body.ts";
import { widestHead } from "./cudnn-attention.ts";
import { lower, type Target } from "./lowering.ts";
import { checkSharding, deviceCount, type Mesh, meshText, type Sharding, shardingText } from "./sharding.ts";
import { type Type, typeText } from "./text.ts";

/** How a graph is written. */
export interface StableHloOptions {
  /** "highest" multiplies float32 exactly; "default", which is the default, as fast as the device does. */
  readonly precision?: "highest" | "default";
  /** "cudnn": CUDA's fused kernels for bfloat16 heads that they take; "blocks", the default, runs anywhere. */
  readonly attention?: "cudnn" | "blocks";
  /** The widest head that those kernels take: 128 if not said; 256 from compute capability 9.0 on. */
  readonly cudnnHead?: number;
  /** Devices that run the module together. */
  readonly mesh?: Mesh;
  /** How inputs and outputs lie on them, by name; an output named like an input lies as it does. */
  readonly shardings?: Readonly<Record<string, Sharding>>;
}

/** A module, with the names of @main's arguments and results in their order. */
export interface StableHloModule {
  readonly text: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/**
 * The module of `graph`. An output with the name, dtype and shape of an input takes its buffer: that argument is
 * donated.
 * @throws TypeError where a dimension is a name, or a sharding does not suit its tensor or the mesh.
 */
export function toStableHlo(graph: Graph, options: StableHloOptions = {}): StableHloModule {
  const { precision = "default", attention = "blocks", cudnnHead = widestHead, mesh, shardings = {} } = options;
  const body = new Body({ highest: precision === "highest" });
  const refs = new Map<Value, Ref>();
  const to: Target = {
    body,
    ref: (value) => known(refs, value, to),
    attention,
    cudnnHead,
    ...(mesh?.batch === undefined ? {} : { batchMesh: { axis: mesh.batch, devices: mesh.axes[mesh.batch] as number } }),
  };

  const inputs = graph.inputs.map(inputName);
  const results = Object.entries(graph.outputs);
  const outputs = results.map(([name]) => name);
  const attributes = (list: readonly string[]) => (list.length > 0 ? ` {${list.join(", ")}}` : "");
  const lies = (name: string, type: Type): string[] => {
    const sharding = shardings[name];
    if (sharding === undefined) return [];
    checkSharding(name, type, sharding, mesh);
    return [`sdy.sharding = #sdy.sharding${shardingText(sharding)}`];
  };

  const parameters = graph.inputs.map((value, i) => {
    const name = inputs[i] as string;
    const ref = { ...typeOf(value), name: `%${/^[A-Za-z][\w.$-]*$/.test(name) ? name : `.arg${i}`}` };
    refs.set(value, ref);
    const taker = graph.outputs[name];
    const donated = taker !== undefined && describe(taker) === describe(value);
    const alias = donated ? [`tf.aliasing_output = ${outputs.indexOf(name)} : i32`] : [];
    return `${ref.name}: ${typeText(ref)}${attributes([...alias, ...lies(name, ref)])}`;
  });
  for (const node of graph.nodes) {
    if (node.op !== "input" && node.op !== "constant") write(refs, node, to);
  }
  const made = results.map(([, value]) => to.ref(value));
  const types = made.map((ref, i) => `${typeText(ref)}${attributes(lies(outputs[i] as string, ref))}`);
  const returned =
    made.length > 0 ? ` ${made.map(({ name }) => name).join(", ")} : ${made.map(typeText).join(", ")}` : "";

  const lines = [
    `module @crosslayer attributes {mhlo.num_partitions = ${deviceCount(mesh)} : i32, mhlo.num_replicas = 1 : i32} {`,
    ...(mesh ? [`  ${meshText(mesh)}`] : []),
    `  func.func public @main(${parameters.join(", ")}) -> (${types.join(", ")}) {`,
    ...body.lines.flatMap((line) => line.split("\n").map((part) => `    ${part}`)),
    `    return${returned}`,
    "  }",
    "}",
    "",
  ];
  return { text: lines.join("\n"), inputs, outputs };
}

/** What stands for a value; a constant is written where it is first read. */
function known(refs: Map<Value, Ref>, value: Value, to: Target): Ref {
  if (!refs.has(value)) write(refs, value.node, to);
  return refs.get(value) as Ref;
}

function write(refs: Map<Value, Ref>, node: Node, to: Target): void {
  const made = lower(node, to);
  for (const output of node.outputs) refs.set(output, made[output.index] as Ref);
}

function typeOf(value: Input): Type {
  return { dtype: value.dtype, shape: fixedShape(value.shape, `stablehlo: input ${inputName(value)}`) };
}
