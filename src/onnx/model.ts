// A graph as the bytes of an ONNX model. Inputs that are bound to tensors become initialisers, which ONNX Runtime packs
// once instead of at every run. Those of a large model lie beside the protobuf, which holds less than 2 GiB.

import { InputError } from "../error.ts";
import { type Dim, factorOf, namesOf, sameDim, times } from "../graph/dim.ts";
import type { ComputedOp } from "../graph/op.ts";
import type { Graph } from "../graph/trace.ts";
import type { Node, Type, Value } from "../graph/value.ts";
import type { Tensor, Tensors } from "../tensor/tensor.ts";
import { dataTypes, type Emitter, type Lowerings, lowerings, microsoft, type OnnxAttribute } from "./lowering.ts";
import { type AttributeProto, encodeModel, type NodeProto, type TensorProto, type ValueInfoProto } from "./proto.ts";

/** A model: a protobuf, and the data of large initialisers by the location and the place there that it names. */
export interface OnnxModel {
  readonly bytes: Uint8Array;
  readonly external: readonly { readonly path: string; readonly offset: number; readonly data: Uint8Array }[];
}

/** How a model is written; as ONNX Runtime takes it from us, if nothing is said. */
export interface OnnxOptions {
  /** How many bytes of initialisers the protobuf may hold. */
  readonly insideBytes?: number;
  /** Rows that take the place of those of `lowerings`. */
  readonly lowerings?: Partial<Lowerings>;
  /** What an output is called; a prefix keeps it apart from an input of its name. */
  readonly outputName?: (output: string) => string;
  /** Inputs that the model has instead of some of the graph's, which nodes compute of them. */
  readonly derived?: Derived;
  /** Where initialisers lie that are outside, and how many bytes each of these files may have. */
  readonly files?: { readonly name: (index: number) => string; readonly mostBytes: number };
}

/** Inputs of a model that its graph does not know. */
export interface Derived {
  readonly inputs: Readonly<Record<string, Type>>;
  /** Writes nodes that give some of the graph's inputs, and returns their names by those of the inputs. */
  write(to: Emitter): Readonly<Record<string, string>>;
}

/** The largest model that protobuf, and so ONNX Runtime, takes in one piece. */
const maximumBytes = 2 ** 31 - 1;

/** What lies outside begins at a multiple of these bytes, so that it can be mapped into memory. */
const outsideAlignment = 4096;

/** With more bytes of initialisers than these, those that are not small lie outside the protobuf. */
const mostInsideBytes = 2 ** 30;

/** Initialisers of fewer bytes always lie inside. */
const smallestOutsideBytes = 2 ** 20;

/**
 * The ONNX model of `graph`, with the inputs that `bound` names as part of it. Data outside is the tensors' own memory.
 * @throws InputError if the protobuf would have 2 GiB or more even so.
 */
export function toOnnx(graph: Graph, bound: Tensors = {}, options: OnnxOptions = {}): OnnxModel {
  const { insideBytes = mostInsideBytes, outputName = (name) => `out:${name}`, derived, files } = options;
  const rows: Lowerings = { ...lowerings, ...options.lowerings };
  const node: NodeProto[] = [];
  const initializer = new Map<string, TensorProto>();
  const names = new Map<Value, string>();
  const computed = new Set<string>(); // names of sizes that nodes give already
  const given = new Set<Value>(); // values that are called as an output is
  let count = 0;

  for (const made of graph.nodes) {
    for (const output of made.outputs) names.set(output, nameOf(made, output.index));
  }
  for (const [name, output] of Object.entries(graph.outputs)) {
    if (output.node.op !== "input" && output.node.op !== "constant" && !given.has(output)) {
      given.add(output);
      names.set(output, outputName(name));
    }
  }

  let at: Node | undefined;
  const to: Emitter = {
    name: (value) => names.get(value) as string,
    fresh: () => `t${count++}`,
    ints: (numbers) => {
      const name = `ints:${numbers.join()}`;
      const rawData = new Uint8Array(BigInt64Array.from(numbers, BigInt).buffer);
      initializer.set(name, { name, dims: [numbers.length], dataType: dataTypes.int64, rawData });
      return name;
    },
    sizes: (shape) => {
      const name = `sizes:${shape.join()}`;
      if (!computed.has(name)) {
        computed.add(name);
        const parts = shape.map(size);
        to.emit("Concat", parts, [name], { axis: { int: 0 } });
      }
      return name;
    },
    float: (number) => {
      const name = `float:${number}`;
      const rawData = new Uint8Array(Float32Array.of(number).buffer);
      initializer.set(name, { name, dims: [], dataType: dataTypes.float32, rawData });
      return name;
    },
    emit: (opType, input, output, attributes = {}, domain = "") => {
      const name = `${at?.scope ? `${at.scope}/` : ""}${opType}_${node.length}`;
      const attribute = Object.entries(attributes).map(([key, set]) => attributeProto(key, set));
      node.push({ opType, domain, name, input: [...input], output: [...output], attribute });
    },
  };

  /** The size of a dimension: a number, that of the input that has it, or a product (`T·4` is the size of T times 4). */
  function size(dim: Dim): string {
    if (typeof dim === "number") return to.ints([dim]);
    const name = `size:${dim}`;
    if (computed.has(name)) return name;
    computed.add(name);
    const isDim = (other: Dim) => sameDim(other, dim);
    const source = graph.inputs.find(({ shape }) => shape.some(isDim));
    if (source) {
      const axis = source.shape.findIndex(isDim);
      to.emit("Shape", [to.name(source)], [name], { start: { int: axis }, end: { int: axis + 1 } });
    } else if (typeof dim !== "string") {
      const [names, factor] = [namesOf(dim), factorOf(dim)];
      const [rest, last] = factor === 1 ? [names.slice(0, -1), names.at(-1) as Dim] : [names, factor];
      to.emit("Mul", [size(times(...rest)), size(last)], [name]);
    } else {
      throw new TypeError(`onnx: no input has a dimension ${dim}, so its size is unknown`);
    }
    return name;
  }

  const input = Object.entries(derived?.inputs ?? {}).map(([name, type]) => valueInfo(name, type));
  const computedInputs = derived?.write(to) ?? {};
  for (const value of graph.inputs) {
    const name = computedInputs[to.name(value)];
    if (name !== undefined) names.set(value, name);
  }
  for (const made of graph.nodes) {
    at = made;
    const [output] = made.outputs;
    const name = to.name(output);
    if (made.op === "constant") {
      initializer.set(name, tensorProto(name, made.attributes.tensor));
    } else if (made.op === "input") {
      const tensor = bound[name];
      if (tensor) initializer.set(name, tensorProto(name, tensor));
      else if (!Object.hasOwn(computedInputs, made.attributes.name)) input.push(valueInfo(name, output));
    } else {
      lower(rows, made, to);
    }
  }
  const output = Object.entries(graph.outputs).map(([name, value]) => {
    const shown = outputName(name);
    if (to.name(value) !== shown) to.emit("Identity", [to.name(value)], [shown]);
    return valueInfo(shown, value);
  });

  const { inside, external } = placed([...initializer.values()], insideBytes, files);
  const bytes = encodeModel({
    irVersion: 10,
    producerName: "crosslayer",
    opsetImport: [
      { domain: "", version: 21 },
      ...(options.lowerings === undefined || node.some(({ domain }) => domain !== "")
        ? [{ domain: microsoft, version: 1 }]
        : []),
    ],
    graph: { name: "crosslayer", node: read(node, output), initializer: inside, input, output },
  });
  return { bytes, external };
}

/** The nodes that outputs depend on: a lowering that writes two operations as one leaves the first unread. */
function read(nodes: readonly NodeProto[], outputs: readonly ValueInfoProto[]): NodeProto[] {
  const names = new Set(outputs.map(({ name }) => name));
  return nodes
    .toReversed()
    .filter(({ input, output }) => {
      if (!output.some((name) => names.has(name))) return false;
      for (const name of input) names.add(name);
      return true;
    })
    .reverse();
}

/** Initialisers with their data moved outside where there is too much of it. */
function placed(all: readonly TensorProto[], insideBytes: number, files: OnnxOptions["files"]) {
  const bytesOf = ({ rawData }: TensorProto) => rawData?.byteLength ?? 0;
  const sum = (tensors: readonly TensorProto[]) => tensors.reduce((total, tensor) => total + bytesOf(tensor), 0);
  const fits = sum(all) <= insideBytes;
  const out = new Set(fits ? [] : all.filter((tensor) => bytesOf(tensor) >= smallestOutsideBytes));
  const small = sum(all.filter((tensor) => !out.has(tensor)));
  if (small > maximumBytes) {
    const found = `${small} bytes in constants below ${smallestOutsideBytes} bytes each`;
    throw new InputError(`onnx: a model holds ${maximumBytes} bytes, this one has ${found}; take a smaller model`);
  }
  let [file, end] = [0, 0]; // the file that is being filled, and where it ends
  const placeOf = ({ name, rawData }: TensorProto) => {
    const data = rawData as Uint8Array;
    if (!files) return { path: name, offset: 0, data };
    if (end > 0 && end + data.byteLength > files.mostBytes) [file, end] = [file + 1, 0];
    const offset = end;
    end = Math.ceil((offset + data.byteLength) / outsideAlignment) * outsideAlignment;
    return { path: files.name(file), offset, data };
  };
  const external: OnnxModel["external"][number][] = [];
  const inside = all.map((tensor): TensorProto => {
    if (!out.has(tensor)) return tensor;
    const { rawData, ...rest } = tensor;
    const { path, offset, data } = placeOf(tensor);
    external.push({ path, offset, data });
    const place = { location: path, offset: String(offset), length: String(data.byteLength) };
    const externalData = Object.entries(place).map(([key, value]) => ({ key, value }));
    return { ...rest, externalData, dataLocation: 1 };
  });
  return { inside, external };
}

function lower<N extends ComputedOp>(rows: Lowerings, node: Node<N>, to: Emitter): void {
  rows[node.op](node, to);
}

function nameOf(node: Node, index: number): string {
  if (node.op === "input") return node.attributes.name;
  return index === 0 ? `v${node.id}` : `v${node.id}.${index}`;
}

function tensorProto(name: string, { dtype, shape, data }: Tensor): TensorProto {
  const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { name, dims: [...shape], dataType: dataTypes[dtype], rawData };
}

function valueInfo(name: string, { dtype, shape }: Type): ValueInfoProto {
  const dim = shape.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: String(size) }));
  return { name, type: { tensorType: { elemType: dataTypes[dtype], shape: { dim } } } };
}

// AttributeProto.AttributeType: FLOAT 1, INT 2, STRING 3, INTS 7.
function attributeProto(name: string, set: OnnxAttribute): AttributeProto {
  if ("int" in set) return { name, i: set.int, type: 2 };
  if ("float" in set) return { name, f: set.float, type: 1 };
  if ("string" in set) return { name, s: new TextEncoder().encode(set.string), type: 3 };
  return { name, ints: [...set.ints], type: 7 };
}
