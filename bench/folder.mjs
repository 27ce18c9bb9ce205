// Writes the decoding benchmark's model as a folder of Hugging Face's, in bfloat16. `node bench/folder.mjs --size q05 --write
// FOLDER`.

import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { encodeHeader } from "../dist/checkpoint/safetensors.js";
import { trainBpe } from "../dist/text/bpe-training.js";
import { biases, matrices, normEpsilon, options, ropeTheta, values } from "./decode_workload.mjs";

const names = {
  q: "self_attn.q_proj",
  k: "self_attn.k_proj",
  v: "self_attn.v_proj",
  o: "self_attn.o_proj",
  gate: "mlp.gate_proj",
  up: "mlp.up_proj",
  down: "mlp.down_proj",
};

const { size, write } = options();
mkdirSync(write);
writeFolder(size, write);

function writeFolder({ layers, width, heads, kvHeads, headDim, mlpWidth, vocab, qkvBias }, folder) {
  const config = {
    model_type: qkvBias ? "qwen2" : "llama",
    num_hidden_layers: layers,
    hidden_size: width,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    head_dim: headDim,
    intermediate_size: mlpWidth,
    vocab_size: vocab,
    max_position_embeddings: 1 << 15,
    rms_norm_eps: normEpsilon,
    rope_theta: ropeTheta,
    tie_word_embeddings: true,
    torch_dtype: "bfloat16",
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(trainBpe(["a b c"], { vocab: 257 }).json));
  const tensors = tensorsOf(size);
  const file = openSync(join(folder, "model.safetensors"), "w");
  writeSync(file, encodeHeader(tensors.map(({ name, shape }) => ({ name, stored: "BF16", shape }))));
  for (const { data } of tensors) writeSync(file, bfloat16(data()));
  closeSync(file);
}

function tensorsOf(size) {
  const ones = (name) => {
    return { name: `model.${name}.weight`, shape: [size.width], data: () => new Float32Array(size.width).fill(1) };
  };
  const list = [ones("norm")];
  for (const matrix of matrices(size)) {
    const { rows, columns } = matrix;
    list.push({ name: `${placeOf(matrix.name)}.weight`, shape: [rows, columns], data: () => values(matrix) });
  }
  for (const bias of biases(size)) {
    list.push({ name: `${placeOf(bias.name)}.bias`, shape: [bias.rows], data: () => values(bias) });
  }
  for (let layer = 0; layer < size.layers; layer++) {
    list.push(ones(`layers.${layer}.input_layernorm`), ones(`layers.${layer}.post_attention_layernorm`));
  }
  return list;
}

function placeOf(name) {
  const [, layer, matrix] = name.split(".");
  return layer === undefined ? "model.embed_tokens" : `model.layers.${layer}.${names[matrix]}`;
}

/** The upper halves of float32. */
function bfloat16(numbers) {
  const halves = new Uint16Array(numbers.buffer);
  const upper = new Uint16Array(numbers.length);
  for (let i = 0; i < upper.length; i++) upper[i] = halves[2 * i + 1];
  return Buffer.from(upper.buffer);
}
