// A model in a GGUF file: what its metadata and tensors say, in our words. Kinds are llama.cpp's architectures.

import { basename } from "node:path";
import { InputError } from "../error.ts";
import { openFile } from "../files/byte-source.ts";
import { readJson } from "../files/json-file.ts";
import { type ModelConfig, modelConfig } from "../model/config.ts";
import type { RopeScaling } from "../model/rotary.ts";
import { share } from "../model/sharing.ts";
import type { ForeignCheckpoint, ForeignTensor } from "./foreign-checkpoint.ts";
import { type GgufFile, readGguf } from "./gguf-file.ts";
import { ggufTokenizer } from "./gguf-tokenizer.ts";
import type { Json } from "./json.ts";
import { type LayoutName, layouts } from "./layouts.ts";
import { yarnAmplitude } from "./rope-config.ts";

/** What an architecture has that its metadata do not say. */
interface Architecture {
  readonly layout: LayoutName;
  readonly headNorms?: ModelConfig["headNorms"];
  /** Every so many layers one has no rotary embedding. */
  readonly ropelessEvery?: number;
}

const architectures: Readonly<Record<string, Architecture>> = {
  llama: { layout: "gguf-adjacent" },
  qwen2: { layout: "gguf-halved" },
  qwen3: { layout: "gguf-halved", headNorms: "before" },
  smollm3: { layout: "gguf-adjacent", ropelessEvery: 4 },
  phi3: { layout: "gguf-phi3" },
  "hunyuan-dense": { layout: "gguf-hunyuan", headNorms: "after" },
};

/** Opens a GGUF file. @throws InputError naming what is damaged, or what crosslayer's blocks have not. */
export async function openGguf(path: string, tokenizer?: string): Promise<ForeignCheckpoint> {
  const source = await openFile(path);
  try {
    const file = await readGguf(source);
    const { metadata } = file;
    const type = String(metadata["general.architecture"]);
    const architecture = Object.hasOwn(architectures, type) ? architectures[type] : undefined;
    if (!architecture) {
      const known = Object.keys(architectures).join(", ");
      throw new InputError(`${path}: architecture "${type}" cannot be imported; known are ${known}`);
    }
    const ropeFactors = await factorsOf(file.tensors.get("rope_freqs.weight"));
    const { model, window } = described(file, type, architecture, ropeFactors);
    const context = Math.min(model.context, window ?? model.context);
    return {
      ...{ name: path, title: basename(path).replace(/\.gguf$/i, ""), type: `GGUF ${type}` },
      model: modelConfig({ ...model, context }),
      layout: layouts[architecture.layout],
      tensors: file.tensors,
      tokenizer: tokenizer === undefined ? ggufTokenizer(path, metadata) : await readJson(tokenizer),
      ...textsOf(metadata),
      notes: [
        ...(context < model.context
          ? [`Its layers attend to ${window} tokens only: longer texts are left out, and the context is ${context}.`]
          : []),
      ],
      [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
    };
  } catch (error) {
    await source[Symbol.asyncDispose]();
    throw error;
  }
}

function described(
  { name, metadata, tensors }: GgufFile,
  type: string,
  { headNorms, ropelessEvery }: Architecture,
  ropeFactors: readonly number[] | undefined,
): { model: ModelConfig; window: number | undefined } {
  const value = (key: string) => metadata[`${type}.${key}`];
  const number = (key: string, otherwise?: number): number => {
    const found = value(key) ?? otherwise;
    if (typeof found === "number" && found > 0) return found;
    throw new InputError(`${name}: ${type}.${key} must be a number above 0, found ${JSON.stringify(found)}`);
  };
  const [layers, width, heads] = [number("block_count"), number("embedding_length"), number("attention.head_count")];
  if (layers > tensors.size)
    throw new InputError(`${name}: speaks of ${layers} layers and has ${tensors.size} tensors`);
  const headDim = number("attention.key_length", width / heads);
  if (number("attention.value_length", headDim) !== headDim) {
    throw new InputError(`${name}: has keys of ${headDim} and values of another size, which crosslayer has not`);
  }
  const context = number("context_length");
  const ropeDim = number("rope.dimension_count", headDim);
  const has = (tensor: string) => tensors.has(`blk.0.${tensor}`);
  const shared = Number(value("attention.shared_kv_layers") ?? 0);
  const window = value("attention.sliding_window");
  try {
    const model = modelConfig({
      ...{ layers, width, heads, headDim, context, headNorms },
      kvHeads: number("attention.head_count_kv", heads),
      mlpWidth: number("feed_forward_length"),
      vocab: tensors.get("token_embd.weight")?.shape[0] ?? number("vocab_size"),
      ...(shared > 0 && { sharing: tailSharing(layers, layers - shared) }),
      ropeTheta: number("rope.freq_base", 10000),
      ropeScaling: scalingOf((key) => value(`rope.${key}`), { context, ropeFactors }),
      ...(ropeDim !== headDim && { ropeDim }),
      ...(ropelessEvery !== undefined && { noRope: everyNth(layers, ropelessEvery) }),
      normEpsilon: number("attention.layer_norm_rms_epsilon", 1e-5),
      tiedEmbeddings: !tensors.has("output.weight"),
      kvNorm: "shared",
      biases: { qkv: has("attn_q.bias"), output: has("attn_output.bias"), mlp: has("ffn_down.bias") },
    });
    return { model, window: typeof window === "number" && window > 0 ? window : undefined };
  } catch (error) {
    if (!(error instanceof InputError) || error.message.startsWith(name)) throw error;
    throw new InputError(`${name}: ${error.message}`);
  }
}

function scalingOf(
  value: (key: string) => unknown,
  { context, ropeFactors }: { context: number; ropeFactors: readonly number[] | undefined },
): RopeScaling | undefined {
  const type = value("scaling.type") ?? "none";
  const factor = Number(value("scaling.factor") ?? value("scale_linear") ?? 1);
  const originalContext = Number(value("scaling.original_context_length") ?? context);
  if (type === "linear" && factor !== 1) return { type: "linear", factor };
  if (type === "yarn") {
    const turns = {
      fastTurns: Number(value("scaling.yarn_beta_fast") ?? 32),
      slowTurns: Number(value("scaling.yarn_beta_slow") ?? 1),
    };
    return { type: "yarn", factor, originalContext, ...turns, wholePairs: true, amplitude: yarnAmplitude({}, factor) };
  }
  if (type !== "none" && type !== "linear") {
    throw new InputError(`rope.scaling.type ${JSON.stringify(type)} is not known; known are linear and yarn`);
  }
  if (!ropeFactors) return undefined;
  const factors = { shortFactors: ropeFactors, longFactors: ropeFactors }; // how llama.cpp writes what Llama 3.1 scales
  return { type: "longrope", originalContext: context, ...factors, amplitude: 1 };
}

async function factorsOf(tensor: ForeignTensor | undefined): Promise<number[] | undefined> {
  if (tensor?.stored !== "F32" || tensor.shape.length !== 1) return undefined;
  const count = Math.min(tensor.shape[0] as number, 4096);
  return [...new Float32Array((await tensor.read(0, count)).buffer)];
}

function tailSharing(layers: number, own: number): number[] {
  return share(layers, 1).map((layer) => Math.min(layer, own - 1));
}

function everyNth(layers: number, every: number): number[] {
  return Array.from({ length: Math.floor(layers / every) }, (_, i) => (i + 1) * every - 1);
}

function textsOf(metadata: Json): Pick<ForeignCheckpoint, "texts" | "chatTemplate"> {
  const tokens = metadata["tokenizer.ggml.tokens"] as readonly string[] | undefined;
  const id = (key: string) => metadata[`tokenizer.ggml.${key}_token_id`] as number | undefined;
  const text = (key: string) => tokens?.[id(key) ?? -1];
  const template = metadata["tokenizer.chat_template"];
  const [begin, end] = [text("bos"), text("eos")];
  return {
    texts: {
      ...{ ...(begin !== undefined && { bos_token: begin }), ...(end !== undefined && { eos_token: end }) },
      prefix: "template",
      end_token_ids: [id("eos"), id("eot"), id("eom")].filter((found) => found !== undefined),
    },
    chatTemplate: typeof template === "string" ? template : undefined,
  };
}
