// A run as a folder with an ONNX decoder, as transformers.js and onnxruntime-genai find it: onnx/model.onnx, configs and
// tokenizer. A config.json that these programs read tells of slots, not layers: layers that borrow have no past.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Watch } from "../checkpoint/checked-writer.ts";
import type { RunDirectory } from "../checkpoint/run-directory.ts";
import { AtomicFile, writeAtomic } from "../files/atomic-file.ts";
import { encodeJson } from "../files/json-file.ts";
import { checkNewFolder, newFolder } from "../files/new-folder.ts";
import type { ModelConfig } from "../model/config.ts";
import type { WeightDtype } from "../model/formats.ts";
import { owners } from "../model/sharing.ts";
import type { OnnxModel } from "../onnx/model.ts";
import { decoderModel } from "./decoder.ts";
import { writeTokens } from "./export-checkpoint.ts";
import { genaiConfig } from "./genai-config.ts";
import { type TokenFiles, tokenFiles } from "./token-files.ts";

/** What an export leaves open. */
export interface OnnxExportOptions extends Watch {
  /** What matrices are kept in; rounded ones need an operator of ONNX Runtime's own (MatMulNBits). */
  readonly dtype?: OnnxDtype;
  /** The most bytes of a file of data, and of those in the model's own file. */
  readonly fileBytes?: number;
}

/** What an export has made. */
export interface ExportedOnnx {
  /** The model's path in the folder. */
  readonly file: string;
  /** Bytes of the model and its data. */
  readonly bytes: number;
  /** How many owners it has a past for. */
  readonly slots: number;
}

/** How files are called by what matrices are kept in, as transformers.js looks for them. */
const suffixes = { float32: "", int8: "_int8", int4: "_q4" } as const satisfies Partial<Record<WeightDtype, string>>;

/** What an exported model's matrices can be kept in. */
export type OnnxDtype = keyof typeof suffixes;
export const onnxDtypes = Object.keys(suffixes) as OnnxDtype[];

/** The most bytes of a file of data: browsers hold no more in one piece. */
const usualFileBytes = 2e9;

/**
 * Writes a run's decoder at `out`, which appears whole or not at all.
 * @throws InputError if the run is damaged, its weights cannot be rounded, or the place is taken.
 */
export async function exportOnnx(
  run: RunDirectory,
  out: string,
  { dtype = "float32", fileBytes = usualFileBytes, onProgress, signal }: OnnxExportOptions = {},
): Promise<ExportedOnnx> {
  const { model } = run.config;
  checkNewFolder(out);
  const tokens = await tokenFiles(run);
  const { tensors } = await run.loadModel();
  const name = `model${suffixes[dtype]}.onnx`;
  const data = (index: number) => `${name}_data${index === 0 ? "" : `_${index}`}`;
  const made = decoderModel(model, tensors, dtype, {
    insideBytes: fileBytes / 2,
    files: { name: data, mostBytes: fileBytes },
  });
  signal?.throwIfAborted();
  const slots = owners(model.sharing).length;
  const count = new Set(made.external.map(({ path }) => path)).size;
  return await newFolder(out, async (folder) => {
    mkdirSync(join(folder, "onnx"));
    const bytes = await writeOnnx(join(folder, "onnx"), name, made, { onProgress, signal });
    await writeTokens(folder, tokens);
    const genai = genaiConfig(model, tokens.ids, `onnx/${name}`);
    await writeAtomic(join(folder, "genai_config.json"), [encodeJson(genai)]);
    await writeAtomic(join(folder, "config.json"), [encodeJson(sessionConfig(model, tokens, { name, count }))]);
    return { file: `onnx/${name}`, bytes, slots };
  });
}

async function writeOnnx(folder: string, name: string, { bytes, external }: OnnxModel, { onProgress, signal }: Watch) {
  const total = external.reduce((sum, { data }) => sum + data.byteLength, bytes.length);
  let done = 0;
  const files = new Map<string, AtomicFile>();
  try {
    for (const { path, offset, data } of external) {
      signal?.throwIfAborted();
      let file = files.get(path);
      if (!file) {
        file = new AtomicFile(join(folder, path));
        files.set(path, file);
      }
      file.write(data, offset);
      done += data.byteLength;
      onProgress?.(done, total);
      await new Promise((resolve) => setImmediate(resolve)); // an interrupt is heard
    }
    for (const file of files.values()) file.finish();
  } finally {
    for (const file of files.values()) file[Symbol.dispose]();
  }
  await writeAtomic(join(folder, name), [bytes]);
  return total;
}

/** What transformers.js reads: to it the decoder is a Llama of as many layers as there are slots. */
function sessionConfig(model: ModelConfig, { ids }: TokenFiles, { name, count }: { name: string; count: number }) {
  const { begin, end, ends } = ids;
  return {
    ...{ model_type: "llama", architectures: ["LlamaForCausalLM"], vocab_size: model.vocab },
    ...{ hidden_size: model.width, num_hidden_layers: owners(model.sharing).length, head_dim: model.headDim },
    ...{ num_attention_heads: model.heads, num_key_value_heads: model.kvHeads },
    ...{ max_position_embeddings: model.context, bos_token_id: begin, pad_token_id: end },
    eos_token_id: ends.length === 1 ? ends[0] : ends,
    ...(count > 0 && { "transformers.js_config": { use_external_data_format: { [name]: count } } }),
    crosslayer: model,
  };
}
