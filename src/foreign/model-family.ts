// Model types of other projects: what their configs leave unsaid, and which of them crosslayer would compute wrongly.

import { InputError } from "../error.ts";
import type { ModelConfig } from "../model/config.ts";
import { crosslayerLayout, crosslayerMissing, crosslayerRopeless } from "./dolomite-config.ts";
import { type Json, numberOf } from "./json.ts";
import type { LayoutName } from "./layouts.ts";

/** What a model type has that its config need not say. */
export interface ModelFamily {
  /** The output head is the embedding table, unless the config says otherwise. */
  readonly tied?: boolean;
  /** Every head has keys and values of its own, unless the config says otherwise. */
  readonly multiHead?: boolean;
  /** Head dim, unless the config says otherwise; width / heads if absent here too. */
  readonly headDim?: number;
  /** "own" if keys and values have a norm apart from the queries'. */
  readonly kvNorm?: ModelConfig["kvNorm"];
  readonly biases?: (config: Json) => Partial<ModelConfig["biases"]>;
  /** Norms that crosslayer's own models have not: it can be planned for, not imported. */
  readonly otherNorms?: string;
  readonly headNorms?: (config: Json) => ModelConfig["headNorms"];
  /** Layers without rotary embedding. */
  readonly noRope?: (config: Json, layers: number) => readonly number[];
  /** Rotary embedding's theta, unless the config says otherwise. */
  readonly ropeTheta?: number;
  /** How its checkpoints are laid out; it cannot be imported if absent. */
  readonly layout?: LayoutName | ((config: Json) => LayoutName);
  /** What its blocks have that crosslayer's have not, whatever the config. */
  readonly missing?: (config: Json) => readonly string[];
  /** Why this model is refused all the same. */
  readonly refusal?: (config: Json) => string | undefined;
}

const saidBiases = ({ attention_bias: attention, mlp_bias: mlp }: Json) => ({
  qkv: attention === true,
  output: attention === true,
  mlp: mlp === true,
});
const llama: ModelFamily = { multiHead: true, biases: saidBiases, layout: "llama" };
const gemma: ModelFamily = { tied: true, headDim: 256, biases: saidBiases, missing: () => ["gemma's gelu and norms"] };
const gemma3: ModelFamily = { ...gemma, otherNorms: "norms of queries and keys, and after attention and MLP" };
const hunyuan: ModelFamily = { ...llama, layout: "hunyuan" };

/** Model types that can be planned for, all decoders with gated MLPs. */
export const families: Readonly<Record<string, ModelFamily>> = {
  llama,
  "lckv-llama": llama,
  "opt-llama": llama,
  mistral: { layout: "llama" },
  qwen2: { biases: () => ({ qkv: true }), layout: "llama" },
  qwen3: { headDim: 128, biases: saidBiases, headNorms: () => "before", layout: "llama" },
  smollm3: { tied: true, ropeTheta: 2e6, biases: saidBiases, noRope: ropelessLayers, layout: "llama" },
  phi3: { multiHead: true, layout: "phi3" },
  gemma,
  gemma2: { ...gemma, otherNorms: "norms after attention and MLP" },
  gemma3_text: gemma3,
  gemma4_text: { ...gemma3, refusal: gemma4Refusal },
  hunyuan: { ...hunyuan, headNorms: ({ use_qk_norm: used }) => (used === true ? "after" : undefined) },
  hunyuan_v1_dense: { ...hunyuan, headNorms: () => "after" },
  afm7: { tied: true, multiHead: true, otherNorms: "norms of queries and keys" },
  gpt_crosslayer: {
    ...{ tied: true, kvNorm: "own", biases: saidBiases },
    ...{ layout: crosslayerLayout, missing: crosslayerMissing, noRope: crosslayerRopeless },
  },
};

/** Blocks of models that people ask for, which are neither planned nor imported. */
const otherBlocks: Readonly<Record<string, string>> = {
  gpt_neox: "norms with biases, an MLP without a gate, and attention beside it (Pythia, MLKV)",
  gpt2: "learned positions, norms with biases, and an MLP without a gate",
  yoco: "lower layers that keep a window or a state, under one cache for all upper ones",
  llama_swiftkv: "keys and values of several layers that are projected from one layer's stream",
};

/** SmolLM3 says by layer whether it has rotary embedding; every fourth has none where it does not. */
function ropelessLayers({ no_rope_layers: has, no_rope_layer_interval: every = 4 }: Json, layers: number): number[] {
  const all = Array.from({ length: layers }, (_, layer) => layer);
  return all.filter((layer) => (Array.isArray(has) ? !has[layer] : (layer + 1) % numberOf(every) === 0));
}

// Gemma 4's own defaults are per-layer embeddings and full layers of another head dim: both must be switched off by name.
function gemma4Refusal(config: Json): string | undefined {
  const { head_dim: headDim = 256, num_key_value_heads: kvHeads } = config;
  const { global_head_dim: globalDim = 512, num_global_key_value_heads: globalHeads } = config;
  if (config.hidden_size_per_layer_input !== 0) return "embeddings for every layer (hidden_size_per_layer_input)";
  if (globalDim !== headDim)
    return `heads of two sizes (head_dim ${JSON.stringify(headDim)}, global_head_dim ${JSON.stringify(globalDim)})`;
  if ((globalHeads ?? kvHeads) !== kvHeads) return "two numbers of KV heads (num_global_key_value_heads)";
  if (config.attention_k_eq_v === true) return "keys that are values too (attention_k_eq_v)";
  if (config.use_double_wide_mlp === true) return "MLPs of two widths (use_double_wide_mlp)";
  return undefined;
}

const expertCounts = ["num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"] as const;
const hybrids = /mamba|jamba|zamba|bamba|hymba|rwkv|falcon_h1|nemotron_h|hybrid|lfm2|recurrent|qwen3_next/;
const attentions = ["full_attention", "sliding_attention", "chunked_attention"];

/** The family of a config. @throws InputError, by name, if its memory is of a kind that crosslayer does not have. */
export function familyOf(config: Json): ModelFamily {
  const type = config.model_type;
  if (typeof type !== "string") {
    throw new InputError(
      "model_type is missing; is it a Hugging Face config? crosslayer's own are given with --config",
    );
  }
  const family = Object.hasOwn(families, type) ? families[type] : undefined;
  const blocks = Object.hasOwn(otherBlocks, type) ? otherBlocks[type] : undefined;
  const reason = blocks ?? attentionRefusal(config, type) ?? expertsRefusal(config, type) ?? family?.refusal?.(config);
  if (family && reason === undefined) return family;
  const known = Object.keys(families).join(", ");
  if (reason === undefined) throw new InputError(`model_type "${type}" is not known; known are ${known}`);
  throw new InputError(`model_type "${type}" has ${reason}, which the plan would get wrong; known are ${known}`);
}

function attentionRefusal(config: Json, type: string): string | undefined {
  if (typeof config.kv_lora_rank === "number") {
    return `multi-head latent attention (kv_lora_rank ${config.kv_lora_rank}: a latent for each token, no keys and values by head)`;
  }
  if (type.startsWith("gemma3n")) return "embeddings for every layer and several residual streams";
  const states = Object.keys(config).find((key) => /^(mamba|ssm|linear_(conv|num))_/.test(key));
  const kinds: unknown[] = Array.isArray(config.layer_types) ? config.layer_types : [];
  const other = kinds.find((kind) => !attentions.includes(kind as string));
  if (!hybrids.test(type) && states === undefined && other === undefined) return undefined;
  const how =
    other !== undefined
      ? `: layer type ${typeof other === "string" ? other : JSON.stringify(other)}`
      : states !== undefined
        ? `: ${states}`
        : "";
  return `layers that keep a state instead of keys and values (a hybrid${how})`;
}

function expertsRefusal(config: Json, type: string): string | undefined {
  if (type === "gpt_crosslayer") return undefined; // says num_experts of dense models too
  const key = expertCounts.find(
    (name) => Math.max(0, ...[config[name] ?? 0].flat().map((count) => numberOf(count) || 0)) > 1,
  );
  if (key === undefined && config.enable_moe_block !== true) return undefined;
  return `a mixture of experts (${key ?? "enable_moe_block"})`;
}
