// A Hugging Face config.json as a model to plan for. What would be reckoned wrongly is refused, what is left out is said.
// Reads no weights.

import { InputError } from "../error.ts";
import { isObject, readJson } from "../files/json-file.ts";
import { largestSizes, type ModelConfig, modelConfig } from "../model/config.ts";
import { dolomiteConfig } from "./dolomite-config.ts";
import { familyOf, type Json } from "./model-family.ts";
import { declaredSharing } from "./sharing-dialect.ts";

/** A model of another project. */
export interface ForeignModel {
  /** Its `model_type`. */
  readonly type: string;
  readonly model: ModelConfig;
  /** What the config says and `model` leaves out, in sentences. */
  readonly notes: readonly string[];
}

/** Our words for sizes, and theirs. */
const words = {
  layers: ["num_hidden_layers", "num_layers", "n_layer"],
  width: ["hidden_size", "hidden_dim"],
  heads: ["num_attention_heads", "num_heads"],
  kvHeads: ["num_key_value_heads", "num_kv_heads"],
  headDim: ["head_dim", "attention_head_dim"],
  mlpWidth: ["intermediate_size"],
  vocab: ["vocab_size"],
  context: ["max_position_embeddings", "n_positions"],
} as const;

/** Reads a config.json. @throws InputError that names the file and what is wrong in it, or why it is refused. */
export async function readHuggingFaceConfig(path: string): Promise<ForeignModel> {
  const json = await readJson(path);
  try {
    return huggingFaceModel(json);
  } catch (error) {
    throw error instanceof InputError ? new InputError(`${path}: ${error.message}`) : error;
  }
}

/** The model that a config.json's value describes. @throws InputError saying what is wrong, or why it is refused. */
export function huggingFaceModel(json: unknown): ForeignModel {
  if (!isObject(json)) throw new InputError("must be a JSON object");
  const text = isObject(json.text_config) ? json.text_config : undefined;
  const config: Json = text ? { tie_word_embeddings: json.tie_word_embeddings, ...text } : json;
  const family = familyOf(config);
  const type = config.model_type as string;
  const said: Json = type === "gpt_crosslayer" ? dolomiteConfig(config) : config;

  const layers = size(said, "layers");
  const width = size(said, "width");
  const heads = size(said, "heads");
  const context = size(said, "context", 0);
  const { rope_parameters: rope, rms_norm_eps: epsilon, tie_word_embeddings: tied = family.tied ?? false } = said;
  const theta = said.rope_theta ?? (isObject(rope) ? rope.rope_theta : undefined);
  const model = modelConfig({
    ...{ layers, width, heads },
    kvHeads: size(said, "kvHeads", family.multiHead ? heads : undefined),
    headDim: size(said, "headDim", family.headDim ?? width / heads),
    mlpWidth: size(said, "mlpWidth", Number(said.hidden_dim_scale_factor) * width || undefined),
    vocab: size(said, "vocab"),
    context: context || undefined,
    sharing: declaredSharing(said, layers),
    ropeTheta: typeof theta === "number" ? theta : undefined,
    normEpsilon: typeof epsilon === "number" ? epsilon : undefined,
    tiedEmbeddings: tied === true,
    kvNorm: family.kvNorm ?? "shared",
    biases: { qkv: false, output: false, mlp: false, ...family.biases?.(said) },
  });
  const notes = [
    text && "Only the text model is planned; what sees or hears has weights that are not counted.",
    windowNote(said, layers),
    family.otherNorms && `Its ${family.otherNorms} are not counted; they are small.`,
    said.normalization_function === "layernorm" && "The biases of its layer norms are not counted; they are small.",
    (isObject(said.quantization_config) || isObject(json.quantization_config)) &&
      "The weights are quantised on disk; the plan takes them as --weights says.",
    !context && `The config does not say how long texts may be; ${model.context} tokens are taken.`,
  ];
  return { type, model, notes: notes.filter((note): note is string => typeof note === "string") };
}

function size(config: Json, name: keyof typeof words, otherwise?: number): number {
  const keys: readonly string[] = words[name];
  const key = keys.find((key) => config[key] !== undefined && config[key] !== null);
  const value = key === undefined ? otherwise : config[key];
  if (value === undefined) throw new InputError(`${keys[0]} is missing`);
  if (Number.isSafeInteger(value) && (value as number) > largestSizes[name]) {
    throw new InputError(`${key ?? keys[0]} must be at most ${largestSizes[name]}, found ${value}`);
  }
  if (Number.isSafeInteger(value) && ((value as number) > 0 || key === undefined)) return value as number;
  throw new InputError(`${key ?? keys[0]} must be a whole number above 0, found ${JSON.stringify(value)}`);
}

/** What is to be said of layers that attend to a window only: the cache is counted as if they attended to everything. */
function windowNote(config: Json, layers: number): string | undefined {
  const { sliding_window: window, layer_types: types, max_position_embeddings: most } = config;
  const isQwen = String(config.model_type).startsWith("qwen"); // names a window that it does not use unless told to
  const used = isQwen ? config.use_sliding_window === true : config.use_sliding_window !== false;
  const kinds: readonly unknown[] | undefined = typeof types === "string" ? types.split("_") : (types as unknown[]);
  const count = Array.isArray(kinds)
    ? kinds.filter((kind) => (typeof types === "string" ? String(kind).endsWith("s") : kind !== "full_attention"))
        .length
    : undefined;
  if (count === 0 || (typeof window === "number" && window >= Number(most))) return undefined;
  if (count === undefined && !(typeof window === "number" && used)) return undefined;
  const which = count === undefined ? "Some or all layers" : `${count} of ${layers} layers`;
  const far = typeof window === "number" ? `the last ${window} tokens` : "a window of tokens";
  return `${which} attend to ${far} only; the window is not reckoned with: keys and values are counted for the whole context.`;
}
