// The part of ONNX's protobuf schema that we write (onnx.proto3 of IR version 10), declared for protobufjs.
// Knows field numbers and nothing of our graphs.

import protobuf from "protobufjs/light.js";

const { Field, Root, Type } = protobuf;

type Rule = "" | "repeated";

function message(name: string, fields: Record<string, [id: number, type: string, rule?: Rule]>): protobuf.Type {
  const type = new Type(name);
  for (const [field, [id, kind, rule]] of Object.entries(fields)) {
    type.add(rule === "repeated" ? new Field(field, id, kind, "repeated") : new Field(field, id, kind));
  }
  return type;
}

const root = new Root().define("onnx");
root.add(message("OperatorSetId", { domain: [1, "string"], version: [2, "int64"] }));
root.add(message("StringStringEntry", { key: [1, "string"], value: [2, "string"] }));
root.add(
  message("Tensor", {
    dims: [1, "int64", "repeated"],
    dataType: [2, "int32"],
    name: [8, "string"],
    rawData: [9, "bytes"],
    externalData: [13, "StringStringEntry", "repeated"],
    dataLocation: [14, "int32"],
  }),
);
root.add(message("Dimension", { dimValue: [1, "int64"], dimParam: [2, "string"] }));
root.add(message("Shape", { dim: [1, "Dimension", "repeated"] }));
root.add(message("TensorType", { elemType: [1, "int32"], shape: [2, "Shape"] }));
root.add(message("Type", { tensorType: [1, "TensorType"] }));
root.add(message("ValueInfo", { name: [1, "string"], type: [2, "Type"] }));
root.add(
  message("Attribute", {
    name: [1, "string"],
    f: [2, "float"],
    i: [3, "int64"],
    s: [4, "bytes"],
    floats: [7, "float", "repeated"],
    ints: [8, "int64", "repeated"],
    type: [20, "int32"],
  }),
);
root.add(
  message("Node", {
    input: [1, "string", "repeated"],
    output: [2, "string", "repeated"],
    name: [3, "string"],
    opType: [4, "string"],
    attribute: [5, "Attribute", "repeated"],
    domain: [7, "string"],
  }),
);
root.add(
  message("Graph", {
    node: [1, "Node", "repeated"],
    name: [2, "string"],
    initializer: [5, "Tensor", "repeated"],
    input: [11, "ValueInfo", "repeated"],
    output: [12, "ValueInfo", "repeated"],
  }),
);
const modelType = message("Model", {
  irVersion: [1, "int64"],
  producerName: [2, "string"],
  producerVersion: [3, "string"],
  graph: [7, "Graph"],
  opsetImport: [8, "OperatorSetId", "repeated"],
});
root.add(modelType);

export interface TensorProto {
  dims: number[];
  dataType: number;
  name: string;
  /** Or external data. */
  rawData?: Uint8Array;
  /** What says where the data lies: location, offset, length. */
  externalData?: { key: string; value: string }[];
  /** 1 for external data. */
  dataLocation?: number;
}

export interface AttributeProto {
  name: string;
  f?: number;
  i?: number;
  s?: Uint8Array;
  ints?: number[];
  type: number;
}

export interface NodeProto {
  opType: string;
  domain: string;
  name: string;
  input: string[];
  output: string[];
  attribute: AttributeProto[];
}

export interface ValueInfoProto {
  name: string;
  type: { tensorType: { elemType: number; shape: { dim: ({ dimValue: number } | { dimParam: string })[] } } };
}

export interface ModelProto {
  irVersion: number;
  producerName: string;
  opsetImport: { domain: string; version: number }[];
  graph: {
    name: string;
    node: NodeProto[];
    initializer: TensorProto[];
    input: ValueInfoProto[];
    output: ValueInfoProto[];
  };
}

/** The bytes of an `.onnx` file. */
export function encodeModel(model: ModelProto): Uint8Array {
  return modelType.encode(model as unknown as Record<string, unknown>).finish();
}

/** What `encodeModel` encoded. */
export function decodeModel(bytes: Uint8Array): ModelProto {
  return modelType.toObject(modelType.decode(bytes), { longs: Number, defaults: true, arrays: true }) as ModelProto;
}
