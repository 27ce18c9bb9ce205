// Models of llama2.c: a header of seven int32, then float32 tensors of all layers together, and beside it the vocabulary with
// scores (karpathy/llama2.c: run.c, export.py version 0). Its names are llama.cpp's here, as its pairs lie alike.

import { basename } from "node:path";
import { InputError } from "../error.ts";
import { type ByteSource, openFile } from "../files/byte-source.ts";
import { type ModelConfig, modelConfig } from "../model/config.ts";
import { sizeOf } from "../tensor/tensor.ts";
import type { ForeignCheckpoint, ForeignTensor } from "./foreign-checkpoint.ts";
import { layouts } from "./layouts.ts";
import { type Piece, tokenizerOfPieces } from "./sentence-pieces.ts";

const headerBytes = 28;
const largestVocabularyBytes = 1 << 22;

/** Opens a model with the vocabulary at `tokenizer`. @throws InputError naming the file that is damaged or something else. */
export async function openLlama2c(path: string, tokenizer: string): Promise<ForeignCheckpoint> {
  const source = await openFile(path);
  try {
    const model = await readHeader(source);
    return {
      ...{ name: path, title: basename(path).replace(/\.bin$/, ""), type: "llama2.c", model },
      layout: layouts["gguf-adjacent"],
      tensors: tensorsOf(source, model),
      tokenizer: await readVocabulary(tokenizer, model.vocab),
      texts: { bos_token: begin, eos_token: begin, end_token_ids: [1, 2] }, // a story ends where the next one begins
      chatTemplate: undefined,
      notes: [],
      [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
    };
  } catch (error) {
    await source[Symbol.asyncDispose]();
    throw error;
  }
}

const begin = "<s>";

async function readHeader(source: ByteSource): Promise<ModelConfig> {
  const fail = (problem: string) => new InputError(`${source.name}: ${problem}; is it a model of llama2.c?`);
  if (source.size < headerBytes) throw fail(`has ${source.size} bytes`);
  const view = new DataView(await source.read(0, headerBytes));
  const [width, mlpWidth, layers, heads, kvHeads, vocab, context] = Array.from({ length: 7 }, (_, i) =>
    view.getInt32(4 * i, true),
  ) as [number, number, number, number, number, number, number];
  const sizes = { width, mlpWidth, layers, heads, kvHeads, vocab: Math.abs(vocab), context };
  // Below these no product of two is beyond what numbers hold, and no list of layers beyond memory.
  const wrong = Object.entries(sizes).find(([, size]) => size < 1 || size > 1 << 24);
  if (wrong || layers > 4096 || width % heads !== 0) {
    throw fail(`its header says ${JSON.stringify(sizes)}`);
  }
  let model: ModelConfig;
  try {
    model = modelConfig({ ...sizes, headDim: width / heads, tiedEmbeddings: vocab > 0, kvNorm: "shared" });
  } catch (error) {
    throw error instanceof InputError ? fail(error.message) : error;
  }
  const end = places(model).end;
  if (source.size !== end) throw fail(`its header speaks of ${end} bytes, the file has ${source.size}`);
  return model;
}

/** Where tensors lie, in bytes; names as in llama.cpp. */
function places({ layers, width, mlpWidth, heads, kvHeads, headDim, vocab, context, tiedEmbeddings }: ModelConfig) {
  const [queries, keys] = [heads * headDim, kvHeads * headDim];
  const inLayers: [string, number[]][] = [
    ["attn_norm", [width]],
    ["attn_q", [queries, width]],
    ["attn_k", [keys, width]],
    ["attn_v", [keys, width]],
    ["attn_output", [width, queries]],
    ["ffn_norm", [width]],
    ["ffn_gate", [mlpWidth, width]],
    ["ffn_down", [width, mlpWidth]],
    ["ffn_up", [mlpWidth, width]],
  ];
  const found: { name: string; shape: number[]; start: number }[] = [];
  let end = headerBytes;
  const add = (name: string, shape: number[]) => {
    found.push({ name: `${name}.weight`, shape, start: end });
    end += 4 * sizeOf(shape);
  };
  add("token_embd", [vocab, width]);
  for (const [name, shape] of inLayers) for (let layer = 0; layer < layers; layer++) add(`blk.${layer}.${name}`, shape);
  add("output_norm", [width]);
  end += 4 * context * headDim; // tables of cos and sin, which nobody reads
  if (!tiedEmbeddings) add("output", [vocab, width]);
  return { found, end };
}

function tensorsOf(source: ByteSource, model: ModelConfig): Map<string, ForeignTensor> {
  return new Map(
    places(model).found.map(({ name, shape, start }) => {
      const rowBytes = 4 * sizeOf(shape.slice(1));
      const read = async (from: number, to: number) =>
        new Uint8Array(await source.read(start + from * rowBytes, start + to * rowBytes));
      return [name, { file: source.name, stored: "F32", shape, read }];
    }),
  );
}

/** A vocabulary: its longest token's length, then of each token a float32 score, an int32 length, and bytes. */
async function readVocabulary(path: string, vocab: number): Promise<object> {
  await using source = await openFile(path);
  const fail = (problem: string) => new InputError(`${path}: ${problem}; is it a tokenizer of llama2.c?`);
  if (source.size > largestVocabularyBytes) throw fail(`has ${source.size} bytes`);
  const view = new DataView(await source.read(0, source.size));
  const pieces: Piece[] = [];
  let at = 4;
  for (let id = 0; id < vocab; id++) {
    if (at + 8 > source.size) throw fail(`ends at token ${id} of ${vocab}`);
    const [score, length] = [view.getFloat32(at, true), view.getInt32(at + 4, true)];
    at += 8;
    if (length < 0 || at + length > source.size) throw fail(`token ${id} has ${length} bytes, which are not there`);
    const text = new TextDecoder().decode(new Uint8Array(view.buffer, at, length));
    at += length;
    const kind = id < 3 ? "special" : /^<0x[0-9A-F]{2}>$/.test(text) ? "byte" : "normal";
    pieces.push({ text: specials[id] ?? text.replaceAll(" ", "▁"), score, kind });
  }
  if (at !== source.size) throw fail(`has ${source.size - at} bytes after token ${vocab}`);
  return tokenizerOfPieces(pieces, { unknown: 0, begin: 1, spaceBefore: true });
}

const specials = ["<unk>", begin, "</s>"];
