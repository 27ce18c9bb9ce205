// Writes the decoding benchmark's model as a GGUF file (version 3) that llama.cpp reads: architecture llama (qwen2 where it
// has biases), Q8_0 matrices, a vocabulary of nonsense. `node bench/gguf.mjs --size m1 --write FILE`.

import { closeSync, openSync, writeSync } from "node:fs";
import { biases, block, matrices, normEpsilon, options, quantized, ropeTheta, values } from "./decode_workload.mjs";

const alignment = 32; // GGUF's default
const types = { F32: 0, Q8_0: 8 }; // ggml_type
const blockBytes = 2 + block; // a float16 scale and the codes

const names = {
  q: "attn_q",
  k: "attn_k",
  v: "attn_v",
  o: "attn_output",
  gate: "ffn_gate",
  up: "ffn_up",
  down: "ffn_down",
};

const { size, write } = options();
writeModel(size, write);

function writeModel(size, path) {
  const facts = metadata(size);
  const tensors = tensorsOf(size);
  const header = [Buffer.from("GGUF"), u32(3), u64(tensors.length), u64(facts.length), ...facts];
  let offset = 0;
  for (const { name, dims, type, bytes } of tensors) {
    header.push(text(name), u32(dims.length), ...dims.map(u64), u32(type), u64(offset));
    offset += padded(bytes);
  }
  const file = openSync(path, "w");
  writePadded(file, Buffer.concat(header));
  for (const tensor of tensors) writePadded(file, tensor.data());
  closeSync(file);
}

function metadata({ layers, width, heads, kvHeads, headDim, mlpWidth, vocab, qkvBias }) {
  const architecture = qkvBias ? "qwen2" : "llama";
  const [int, integer, float, string, array] = [5, 4, 6, 8, 9]; // gguf_metadata_value_type
  const tokens = vocabulary(vocab);
  return [
    [text("general.architecture"), u32(string), text(architecture)],
    [text("general.name"), u32(string), text("random")],
    [text("general.file_type"), u32(integer), u32(7)], // mostly Q8_0
    [text("general.quantization_version"), u32(integer), u32(2)],
    [text(`${architecture}.vocab_size`), u32(integer), u32(vocab)],
    [text(`${architecture}.context_length`), u32(integer), u32(16384)],
    [text(`${architecture}.block_count`), u32(integer), u32(layers)],
    [text(`${architecture}.embedding_length`), u32(integer), u32(width)],
    [text(`${architecture}.feed_forward_length`), u32(integer), u32(mlpWidth)],
    [text(`${architecture}.attention.head_count`), u32(integer), u32(heads)],
    [text(`${architecture}.attention.head_count_kv`), u32(integer), u32(kvHeads)],
    [text(`${architecture}.attention.layer_norm_rms_epsilon`), u32(float), f32(normEpsilon)],
    [text(`${architecture}.rope.dimension_count`), u32(integer), u32(headDim)],
    [text(`${architecture}.rope.freq_base`), u32(float), f32(ropeTheta)],
    [text("tokenizer.ggml.model"), u32(string), text("llama")],
    [text("tokenizer.ggml.tokens"), u32(array), u32(string), u64(vocab), ...tokens.map(({ name }) => text(name))],
    [text("tokenizer.ggml.scores"), u32(array), u32(float), u64(vocab), ...tokens.map((_, id) => f32(-id))],
    [text("tokenizer.ggml.token_type"), u32(array), u32(int), u64(vocab), ...tokens.map(({ type }) => u32(type))],
  ].map((parts) => Buffer.concat(parts));
}

// What SentencePiece models begin with, then words; node-llama-cpp aborts on a model that has no tokenizer at all.
function vocabulary(count) {
  const [normal, unknown, control, byte] = [1, 2, 3, 6]; // llama_token_type
  const bytes = Array.from({ length: 256 }, (_, value) => {
    return { name: `<0x${value.toString(16).toUpperCase().padStart(2, "0")}>`, type: byte };
  });
  const special = [
    { name: "<unk>", type: unknown },
    { name: "<s>", type: control },
    { name: "</s>", type: control },
  ];
  const words = Array.from({ length: count - 259 }, (_, i) => ({ name: `▁word${i}`, type: normal }));
  return [...special, ...bytes, ...words];
}

// Dimensions are fastest first. There is no output.weight: llama.cpp then uses token_embd.
function tensorsOf({ layers, width, ...size }) {
  const norm = (name) => {
    const data = () => Buffer.from(new Float32Array(width).fill(1).buffer);
    return { name: `${name}.weight`, dims: [width], type: types.F32, bytes: 4 * width, data };
  };
  const list = matrices({ layers, width, ...size }).map((matrix) => {
    const { rows, columns } = matrix;
    const bytes = ((rows * columns) / block) * blockBytes;
    return { name: ggufName(matrix.name), dims: [columns, rows], type: types.Q8_0, bytes, data: () => q8(matrix) };
  });
  for (let layer = 0; layer < layers; layer++) {
    list.push(norm(`blk.${layer}.attn_norm`), norm(`blk.${layer}.ffn_norm`));
  }
  for (const bias of biases({ layers, width, ...size })) {
    const data = () => Buffer.from(values(bias).buffer);
    const name = ggufName(bias.name).replace("weight", "bias");
    list.push({ name, dims: [bias.rows], type: types.F32, bytes: 4 * bias.rows, data });
  }
  return [...list, norm("output_norm")];
}

function ggufName(name) {
  const [, layer, matrix] = name.split(".");
  return layer === undefined ? "token_embd.weight" : `blk.${layer}.${names[matrix]}.weight`;
}

function q8(matrix) {
  const { codes, scales } = quantized(matrix);
  const bits = new Uint32Array(scales.buffer);
  const bytes = Buffer.alloc(scales.length * blockBytes);
  for (let at = 0; at < scales.length; at++) {
    // Another exponent bias and 13 fewer bits of fraction, which are zero; exact for normal numbers.
    bytes.writeUInt16LE((bits[at] - ((127 - 15) << 23)) >>> 13, at * blockBytes);
    bytes.set(new Uint8Array(codes.buffer, at * block, block), at * blockBytes + 2);
  }
  return bytes;
}

function writePadded(file, bytes) {
  writeSync(file, bytes);
  writeSync(file, Buffer.alloc(padded(bytes.length) - bytes.length));
}

function padded(bytes) {
  return Math.ceil(bytes / alignment) * alignment;
}

function text(string) {
  return Buffer.concat([u64(Buffer.byteLength(string)), Buffer.from(string)]);
}

function u32(number) {
  return Buffer.from(Uint32Array.of(number).buffer);
}

function u64(number) {
  return Buffer.from(BigUint64Array.of(BigInt(number)).buffer);
}

function f32(number) {
  return Buffer.from(Float32Array.of(number).buffer);
}
