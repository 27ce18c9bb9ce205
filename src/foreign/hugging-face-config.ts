// A Hugging Face config.json as a model. What would be computed wrongly is refused; what a plan leaves out is said, and so is
// what keeps the model from being computed. Reads no weights.

import { InputError } from "../error.ts";
import { isObject, readJson } from "../files/json-file.ts";
import { largestSizes, type ModelConfig, modelConfig } from "../model/config.ts";
import { dolomiteConfig } from "./dolomite-config.ts";
import { type Json, numberOf } from "./json.ts";
import type { LayoutName } from "./layouts.ts";
import { familyOf, type ModelFamily } from "./model-family.ts";
import { ownModel } from "./own-config.ts";
import { type RopeConfig, ropeConfig } from "./rope-config.ts";
import { declaredSharing } from "./sharing-dialect.ts";

/** A model of another project. */
export interface ForeignModel {
  /** Its `model_type`. */
  readonly type: string;
  readonly model: ModelConfig;
  /** What the config says and `model` leaves out, in sentences. */
  readonly notes: readonly string[];
  /** How its tensors lie; undefined where it cannot be imported. */
  readonly layout: LayoutName | undefined;
  /** What the config asks for and crosslayer's blocks have not: it can be planned for, not computed. */
  readonly missing: readonly string[];
  /** Tokens that every layer attends to, where some attend to a window only. */
  readonly window: number | undefined;
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

/** The deepest models there are have some hundreds; lists by layer are not made of what a damaged file says. */
const mostLayers = 1 << 16;

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
  if (config.model_type === "crosslayer") return ownModel(config);
  const family = familyOf(config);
  const type = config.model_type as string;
  const said: Json = type === "gpt_crosslayer" ? dolomiteConfig(config) : config;

  const layers = size(said, "layers");
  if (layers > mostLayers)
    throw new InputError(`num_hidden_layers: ${layers} are more than the ${mostLayers} that are read`);
  const width = size(said, "width");
  const heads = size(said, "heads");
  const context = size(said, "context", 0);
  const { rms_norm_eps: epsilon, tie_word_embeddings: tied = family.tied ?? false } = said;
  const headDim = size(said, "headDim", family.headDim ?? width / heads);
  const rope = ropeOf(said, { headDim, context: context || 2048 });
  const noRope = family.noRope?.(said, layers) ?? [];
  const model = modelConfig({
    ...{ layers, width, heads, headDim },
    kvHeads: size(said, "kvHeads", family.multiHead ? heads : undefined),
    mlpWidth: size(said, "mlpWidth", numberOf(said.hidden_dim_scale_factor) * width || undefined),
    vocab: size(said, "vocab"),
    context: context || undefined,
    sharing: declaredSharing(said, layers),
    ...(family.ropeTheta !== undefined && { ropeTheta: family.ropeTheta }),
    ...rope.config,
    ...(noRope.length > 0 && { noRope }),
    normEpsilon: typeof epsilon === "number" ? epsilon : undefined,
    tiedEmbeddings: tied === true,
    kvNorm: family.kvNorm ?? "shared",
    headNorms: family.headNorms?.(said),
    biases: { qkv: false, output: false, mlp: false, ...family.biases?.(said) },
  });
  const window = windowOf(said, layers);
  const notes = [
    text && "Only the text model is planned; what sees or hears has weights that are not counted.",
    window?.note,
    family.otherNorms && `Its ${family.otherNorms} are not counted; they are small.`,
    said.normalization_function === "layernorm" && "The biases of its layer norms are not counted; they are small.",
    (isObject(said.quantization_config) || isObject(json.quantization_config)) &&
      "The weights are quantised on disk; the plan takes them as --weights says.",
    !context && `The config does not say how long texts may be; ${model.context} tokens are taken.`,
  ];
  const { layout } = family;
  return {
    ...{ type, model },
    notes: notes.filter((note): note is string => typeof note === "string"),
    layout: typeof layout === "function" ? layout(said) : layout,
    missing: missingOf(json, said, family, rope.problem),
    window: window?.tokens,
  };
}

/** Rotary embedding, or why it cannot be computed: a plan does not depend on it. */
function ropeOf(config: Json, sizes: Parameters<typeof ropeConfig>[1]): { config: RopeConfig; problem?: string } {
  try {
    return { config: ropeConfig(config, sizes) };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { config: {}, problem: error.message };
  }
}

function missingOf(json: Json, said: Json, family: ModelFamily, rope: string | undefined): string[] {
  const activation = said.hidden_act ?? said.hidden_activation;
  const quantized = [said.quantization_config, json.quantization_config].find(isObject);
  return [
    ...(family.missing?.(said) ?? []),
    ...(family.otherNorms ? [family.otherNorms] : []),
    ...(activation === undefined || activation === "silu" || activation === "swish"
      ? []
      : [`hidden_act ${JSON.stringify(activation)}`]),
    ...(rope === undefined ? [] : [rope]),
    ...(quantized ? [`quantised weights (quantization_config ${JSON.stringify(quantized.quant_method)})`] : []),
    ...(json === said || said.model_type === json.model_type ? [] : ["parts that see or hear"]),
  ];
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

interface Window {
  readonly tokens: number | undefined;
  readonly note: string;
}

/** Layers that attend to a window only: the cache is counted as if they attended to everything. */
function windowOf(config: Json, layers: number): Window | undefined {
  const { sliding_window: window, layer_types: types, max_position_embeddings: most } = config;
  const type = config.model_type as string; // which the family is known by
  const isOptional = type.startsWith("qwen") || type === "smollm3"; // names a window that it does not use unless told to
  const used = isOptional ? config.use_sliding_window === true : config.use_sliding_window !== false;
  const kinds: readonly unknown[] | undefined = typeof types === "string" ? types.split("_") : (types as unknown[]);
  const count = Array.isArray(kinds)
    ? kinds.filter((kind) => (typeof types === "string" ? (kind as string).endsWith("s") : kind !== "full_attention"))
        .length
    : undefined;
  if (count === 0 || (typeof window === "number" && window >= numberOf(most))) return undefined;
  if (count === undefined && !(typeof window === "number" && used)) return undefined;
  if (typeof window === "number" && !(Number.isSafeInteger(window) && window > 0)) {
    throw new InputError(`sliding_window must be a whole number above 0, found ${JSON.stringify(window)}`);
  }
  const which = count === undefined ? "Some or all layers" : `${count} of ${layers} layers`;
  const tokens = typeof window === "number" ? window : undefined;
  const far = tokens === undefined ? "a window of tokens" : `the last ${tokens} tokens`;
  return {
    tokens,
    note: `${which} attend to ${far} only; the window is left out: keys and values are counted for the whole context.`,
  };
}
