// Decoding as transformers.js runs exported models: a graph with com.microsoft GroupQueryAttention in every layer. Past
// keys and values are inputs; present ones, a token longer, are outputs (copied) that the next step is fed. 8-bit
// MatMulNBits, float32 keys and values, no sharing. Sequences of a batch are padded at their ends to the longest one.
// What is past is random, not read from tokens. Needs `npm run build`.

import { writeFileSync } from "node:fs";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { encodeModel } from "../dist/onnx/proto.js";
import { reference, relativeError } from "./decode_reference.mjs";
import {
  block,
  generated,
  matrices,
  normals,
  normEpsilon,
  options,
  quantized,
  ropeTheta,
  serve,
  tokenAt,
} from "./decode_workload.mjs";

const [float32, uint8, int32] = [1, 2, 6]; // TensorProto.DataType
const [exact, asOurs] = [1, 4]; // MatMulNBits: activations stay float32, or are rounded to 8 bits
const positions = 16384; // that the rotary tables know

const { size, sizeName, batch, contexts, threads, check, write } = options();
const { layers, kvHeads, headDim } = size;
if (write) writeFileSync(write, model(asOurs));
else if (check) await compare();
else await serve({}, await decoder(generated(import.meta.url, sizeName, "onnx"), randomPast()));

/** What takes a step of every sequence and gives their logits, flat. */
async function decoder(source, past) {
  const session = await InferenceSession.create(source, {
    executionProviders: ["cpu"],
    graphOptimizationLevel: "all",
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  return async (count) => {
    const total = contexts.map((length) => length + count + 1);
    const tokens = contexts.map((length, index) => tokenAt(size, index, length + count));
    const { logits, ...present } = await session.run({
      tokens: new Tensor("int32", Int32Array.from(tokens), [batch, 1]),
      seqlens_k: new Tensor(
        "int32",
        Int32Array.from(total, (length) => length - 1),
        [batch],
      ),
      total_sequence_length: new Tensor("int32", Int32Array.of(Math.max(...total)), []),
      ...past,
    });
    past = Object.fromEntries(
      Object.entries(present).map(([name, tensor]) => [name.replace("present", "past"), tensor]),
    );
    return logits.data;
  };
}

function randomPast() {
  const shape = [batch, kvHeads, Math.max(...contexts), headDim];
  const count = shape.reduce((a, b) => a * b);
  const past = {};
  for (const [index, name] of cacheNames("past").entries()) {
    past[name] = new Tensor("float32", normals(index * count, count, 0.5), shape);
  }
  return past;
}

function cacheNames(prefix) {
  return Array.from({ length: layers }, (_, layer) => [`${prefix}.${layer}.key`, `${prefix}.${layer}.value`]).flat();
}

/** The logits of two steps beside the reference's: with float32 activations, then with those that are timed. */
async function compare() {
  const past = randomPast();
  for (const [accuracy, tolerance] of [
    [exact, 1e-5],
    [asOurs, 0.05],
  ]) {
    const step = await decoder(model(accuracy), past);
    const forward = reference(size, false);
    const caches = contexts.map((length, index) => cacheOf(past, index, length));
    for (let count = 0; count < 2; count++) {
      const logits = await step(count);
      for (const [index, length] of contexts.entries()) {
        const expected = forward(tokenAt(size, index, length + count), caches[index]);
        const error = relativeError(logits.subarray(index * size.vocab, (index + 1) * size.vocab), expected);
        const where = `accuracy level ${accuracy}, sequence ${index}, position ${length + count}`;
        console.log(`${where}: relative error ${error.toExponential(1)}`);
        if (!(error < tolerance)) process.exitCode = 1;
      }
    }
  }
}

/** What is past of one sequence, as the reference keeps it. */
function cacheOf(past, index, length) {
  const rows = ({ data, dims: [, heads, longest] }) =>
    Array.from({ length }, (_, position) => {
      const row = new Float64Array(heads * headDim);
      for (let head = 0; head < heads; head++) {
        const at = ((index * heads + head) * longest + position) * headDim;
        row.set(data.subarray(at, at + headDim), head * headDim);
      }
      return row;
    });
  return Array.from({ length: layers }, (_, layer) => {
    return { keys: rows(past[`past.${layer}.key`]), values: rows(past[`past.${layer}.value`]) };
  });
}

/** The bytes of the ONNX model; `accuracy` is MatMulNBits's, of its activations. */
function model(accuracy) {
  const { width, heads, vocab } = size;
  const node = [];
  const initializer = [];
  const constant = (name, dataType, dims, data) => {
    initializer.push({ name, dims, dataType, rawData: new Uint8Array(data.buffer) });
    return name;
  };
  const emit = (opType, input, output, attribute = [], domain = "") => {
    node.push({ opType, domain, name: `${opType}_${node.length}`, input, output, attribute });
    return output[0];
  };
  const microsoft = "com.microsoft";
  const ones = constant("norm", float32, [width], new Float32Array(width).fill(1));
  const weights = Object.fromEntries(matrices(size).map((matrix) => [matrix.name, matrix]));

  const linear = (input, name) => {
    const { rows, columns } = weights[name];
    const { codes, scales } = quantized(weights[name]);
    const shifted = Uint8Array.from(codes, (code) => code + 128); // 128 is what 8-bit MatMulNBits takes for zero
    const inputs = [
      input,
      constant(`${name}.codes`, uint8, [rows, columns / block, block], shifted),
      constant(`${name}.scales`, float32, [scales.length], scales),
    ];
    const attributes = [int("K", columns), int("N", rows), int("bits", 8), int("block_size", block)];
    return emit("MatMulNBits", inputs, [`${name}.out`], [...attributes, int("accuracy_level", accuracy)], microsoft);
  };
  // The sum of a residual stream and what is added to it, and that sum normed.
  const addNorm = (x, added, at) => {
    const outputs = [`${at}.normed`, "", "", `${at}.sum`];
    emit("SkipSimplifiedLayerNormalization", [x, added, ones], outputs, [float("epsilon", normEpsilon)], microsoft);
    return [outputs[3], outputs[0]];
  };

  const { codes, scales } = quantized(weights.embed);
  const embedding = Float32Array.from(codes, (code, i) => code * scales[Math.floor(i / block)]);
  let x = emit("Gather", [constant("embed", float32, [vocab, width], embedding), "tokens"], ["x"]); // [B, 1, C]
  const normAttributes = [int("axis", -1), float("epsilon", normEpsilon), int("stash_type", 1)];
  let normed = emit("SimplifiedLayerNormalization", [x, ones], ["normed"], normAttributes);
  const tables = rotaryTables().map((table, i) =>
    constant(["cos", "sin"][i], float32, [positions, headDim / 2], table),
  );
  for (let layer = 0; layer < layers; layer++) {
    const at = `layers.${layer}`;
    const inputs = ["q", "k", "v"].map((name) => linear(normed, `${at}.${name}`));
    const cache = (prefix) => [`${prefix}.${layer}.key`, `${prefix}.${layer}.value`];
    const mixed = emit(
      "GroupQueryAttention",
      [...inputs, ...cache("past"), "seqlens_k", "total_sequence_length", ...tables],
      [`${at}.mixed`, ...cache("present")],
      [int("num_heads", heads), int("kv_num_heads", kvHeads), int("do_rotary", 1)],
      microsoft,
    );
    [x, normed] = addNorm(x, linear(mixed, `${at}.o`), `${at}.attn`);
    const gate = linear(normed, `${at}.gate`);
    const sigmoid = emit("Sigmoid", [gate], [`${at}.sigmoid`]);
    const silu = emit("Mul", [gate, sigmoid], [`${at}.silu`]);
    const gated = emit("Mul", [silu, linear(normed, `${at}.up`)], [`${at}.gated`]);
    [x, normed] = addNorm(x, linear(gated, `${at}.down`), `${at}.mlp`);
  }
  emit("Identity", [linear(normed, "embed")], ["logits"]);

  const caches = (prefix, length) =>
    cacheNames(prefix).map((name) => valueInfo(name, float32, ["batch", kvHeads, length, headDim]));
  return encodeModel({
    irVersion: 10,
    producerName: "crosslayer",
    opsetImport: [
      { domain: "", version: 21 },
      { domain: microsoft, version: 1 },
    ],
    graph: {
      name: "gqa",
      node,
      initializer,
      input: [
        valueInfo("tokens", int32, ["batch", 1]),
        valueInfo("seqlens_k", int32, ["batch"]),
        valueInfo("total_sequence_length", int32, []),
        ...caches("past", "past"),
      ],
      output: [valueInfo("logits", float32, ["batch", 1, vocab]), ...caches("present", "present")],
    },
  });
}

function rotaryTables() {
  const half = headDim / 2;
  const angle = (i) => Math.floor(i / half) * ropeTheta ** (-(i % half) / half);
  return [Math.cos, Math.sin].map((f) => Float32Array.from({ length: positions * half }, (_, i) => f(angle(i))));
}

function valueInfo(name, elemType, shape) {
  const dim = shape.map((length) => (typeof length === "number" ? { dimValue: length } : { dimParam: length }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}

// AttributeProto.AttributeType: FLOAT 1, INT 2.
function float(name, f) {
  return { name, f, type: 1 };
}

function int(name, i) {
  return { name, i, type: 2 };
}
