// Makes graphs: inside `trace(...)` the operations' functions record nodes, equal nodes becoming one. What the outputs
// do not need is left out. Knows no operation by name.

import type { DataOf, DType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Attributes, Operands, OpName, Results } from "./op.ts";
import { describe, type Input, type Node, type Shape, type Type, type Value } from "./value.ts";

/** A computation: what it reads, what it gives, and the nodes between, inputs before users. */
export interface Graph {
  readonly inputs: readonly Input[];
  readonly outputs: Readonly<Record<string, Value>>;
  readonly nodes: readonly Node[];
}

interface Trace {
  readonly known: Map<string, Node>;
  readonly scopes: string[];
  count: number;
}

let current: Trace | undefined;

/** Runs `build` and gives the graph of the outputs that it returns. */
export function trace(build: () => Record<string, Value>): Graph {
  const outer = current;
  current = { known: new Map(), scopes: [], count: 0 };
  try {
    return graphOf(build());
  } finally {
    current = outer;
  }
}

/** Marks the nodes that `build` makes as belonging to `name`. */
export function scope<T>(name: string, build: () => T): T {
  const { scopes } = active();
  scopes.push(name);
  try {
    return build();
  } finally {
    scopes.pop();
  }
}

/** The node of operation `op` on `inputs`: a new one, or the equal one that is there. */
export function node<N extends OpName>(
  op: N,
  inputs: Operands<N, Value>,
  attributes: Attributes<N>,
  types: Results<N, Type>,
): Node<N> {
  return made(op, inputs, attributes, types) as Node<N>;
}

/** The node of the same operation on other values: for each that `original` reads, what `read` gives. */
export function nodeLike(
  original: Node,
  read: (value: Value) => Value,
  { attributes, types }: { attributes: Attributes<OpName>; types: readonly Type[] } = {
    attributes: original.attributes,
    types: original.outputs,
  },
): Node {
  return made(original.op, original.inputs.map(read), attributes, types);
}

/** The output of a new or equal node that has one. */
export function value<N extends OpName>(
  op: N,
  inputs: Operands<N, Value>,
  attributes: Attributes<N>,
  type: Type,
): Value {
  return node(op, inputs, attributes, [type] as readonly Type[] as Results<N, Type>).outputs[0];
}

/** A tensor that is given by name when the graph runs. */
export function input(name: string, dtype: DType, shape: Shape): Value {
  return value("input", [], { name }, { dtype, shape });
}

/** A tensor that is part of the graph. */
export function constant<D extends DType>(tensor: Tensor<D>): Value {
  return value("constant", [], { tensor: tensor as Tensor }, tensor);
}

/** A float32 constant: a scalar, or a vector. */
export function float(number: number | readonly number[]): Value {
  const numbers = typeof number === "number" ? [number] : number;
  const shape = typeof number === "number" ? [] : [numbers.length];
  return constant({ dtype: "float32", shape, data: Float32Array.from(numbers) });
}

function made(op: OpName, inputs: readonly Value[], attributes: Attributes<OpName>, types: readonly Type[]): Node {
  const here = active();
  const reads = inputs.map((value) => `${value.node.id}.${value.index}`).join();
  const key = `${op}(${reads})${JSON.stringify(attributes, attributeKey)}${types.map(describe)}`;
  const found = here.known.get(key);
  if (found) return found;
  const outputs: Value[] = [];
  const fresh = {
    op,
    inputs,
    attributes,
    outputs,
    scope: here.scopes.at(-1) ?? "",
    id: here.count++,
  } as unknown as Node;
  for (const [index, { dtype, shape }] of types.entries()) outputs.push({ node: fresh, index, dtype, shape });
  here.known.set(key, fresh);
  return fresh;
}

function graphOf(outputs: Record<string, Value>): Graph {
  const nodes: Node[] = [];
  const seen = new Set<Node>();
  const stack = Object.values(outputs).map((output) => output.node);
  while (stack.length > 0) {
    const top = stack.pop() as Node;
    if (seen.has(top)) continue;
    seen.add(top);
    nodes.push(top);
    stack.push(...top.inputs.map((read) => read.node));
  }
  nodes.sort((a, b) => a.id - b.id);
  const given = nodes.filter((made) => made.op === "input");
  const inputs = given.map((made) => made.outputs[0] as Input);
  const names = given.map((made) => made.attributes.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new TypeError(`trace: two inputs of different types are named ${twice}`);
  return { inputs, outputs, nodes };
}

function active(): Trace {
  if (!current) throw new TypeError("graph values can only be made inside trace(() => …)");
  return current;
}

const identities = new WeakMap<object, number>();
let identityCount = 0;

// Small tensors are equal when their contents are; large ones only when they are the same array.
function attributeKey(key: string, attribute: unknown): unknown {
  if (key !== "tensor") return attribute;
  const { dtype, shape, data } = attribute as Tensor;
  if (data.length <= 16) return { dtype, shape, values: Array.from(data as DataOf<"float32">, text) };
  let identity = identities.get(data);
  if (identity === undefined) {
    identity = identityCount++;
    identities.set(data, identity);
  }
  return { dtype, shape, identity };
}

function text(number: number): string {
  return Object.is(number, -0) ? "-0" : String(number);
}
