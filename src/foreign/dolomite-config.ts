// The config of the authors' code (gpt_crosslayer), which had three layouts over time: GPT-2's words; Hugging Face's words;
// a list of blocks by layer. All become Hugging Face's words here.

import { InputError } from "../error.ts";
import { isObject } from "../files/json-file.ts";
import { type Json, numberOf } from "./json.ts";
import type { LayoutName } from "./layouts.ts";

/** A gpt_crosslayer config in Hugging Face's words. @throws InputError if layers differ or are of another architecture. */
export function dolomiteConfig(config: Json): Json {
  const mixer = alike(config, "sequence_mixer_blocks") ?? alike(config, "attention_blocks") ?? {};
  const mlp = alike(config, "mlp_blocks") ?? {};
  expect(mixer.sequence_mixer_type ?? mixer.attention_block_type ?? "softmax_attention", ["softmax_attention"]);
  expect(mlp.mlp_type ?? mlp.mlp_block_type ?? "MLP", ["MLP"]);
  expect(mlp.activation_function ?? config.activation_function, ["swiglu", "geglu", "reglu"]);
  expect(config.position_embedding_type, ["rope", "nope"]);
  const width = config.hidden_size ?? config.n_embd;
  const heads = mixer.num_attention_heads ?? config.num_attention_heads ?? config.n_head;
  const kind = mixer.attention_head_type ?? config.attention_head_type;
  const kvHeads = { mha: heads, mqa: 1 }[kind as "mha" | "mqa"];
  return {
    ...config,
    hidden_size: width,
    num_attention_heads: heads,
    num_key_value_heads: mixer.num_key_value_heads ?? config.num_key_value_heads ?? kvHeads,
    intermediate_size: mlp.intermediate_size ?? config.intermediate_size ?? config.n_inner ?? 4 * numberOf(width),
    attention_bias: mixer.add_bias ?? config.add_bias ?? true,
    mlp_bias: mlp.add_bias ?? config.add_bias ?? true,
    rms_norm_eps: config.layer_norm_epsilon,
  };
}

/** The block that all layers have; undefined if the config has no such list. */
function alike(config: Json, key: string): Json | undefined {
  const blocks = config[key];
  if (!Array.isArray(blocks)) return undefined;
  const other = blocks.findIndex((block) => JSON.stringify(block) !== JSON.stringify(blocks[0]));
  if (other < 0) return isObject(blocks[0]) ? blocks[0] : undefined;
  throw new InputError(
    `${key}: layer ${other} differs from layer 0; only models whose layers are alike can be planned`,
  );
}

function expect(found: unknown, known: readonly string[]): void {
  if (known.includes(found as string)) return;
  throw new InputError(
    `gpt_crosslayer with ${JSON.stringify(found)} cannot be planned; expected ${known.join(" or ")}`,
  );
}

/**
 * Which of the three layouts a checkpoint has. The latest, whose SwiGLU is interleaved, has the names of the one before:
 * its configs say how weights start, and do not say `use_cache`.
 */
export function crosslayerLayout(config: Json): LayoutName {
  if (config.n_embd !== undefined) return "crosslayer-2024";
  return config.use_depth_scaled_init !== undefined ? "crosslayer-2026" : "crosslayer-2025";
}

/** What a gpt_crosslayer config asks for that crosslayer's blocks have not. */
export function crosslayerMissing(config: Json): string[] {
  const mixer = alike(config, "sequence_mixer_blocks") ?? alike(config, "attention_blocks") ?? {};
  const mlp = alike(config, "mlp_blocks") ?? {};
  const activation = mlp.activation_function ?? config.activation_function;
  const isSet = (value: unknown) => value !== undefined && value !== null;
  const multipliers = ["m_emb", "m_width", "m_residual", "rope_scaling"].filter((key) => isSet(config[key]));
  const norm = config.normalization_function ?? "layernorm";
  const heads = numberOf(mixer.num_attention_heads ?? config.num_attention_heads ?? config.n_head);
  const width = numberOf(config.hidden_size ?? config.n_embd);
  return [
    ...(norm === "rmsnorm" ? [] : [`normalization_function ${JSON.stringify(norm)}`]),
    ...(activation === "swiglu" ? [] : [`activation_function ${JSON.stringify(activation)}`]),
    ...multipliers.map((key) => `${key} ${JSON.stringify(config[key])}`),
    ...(isSet(mixer.attention_multiplier ?? config.attention_multiplier) ? ["attention_multiplier"] : []),
    ...(config.scale_attn_weights === false ? ["scale_attn_weights false"] : []),
    ...(isSet(config.rope_dim) && numberOf(config.rope_dim) * heads !== width
      ? [`rope_dim ${JSON.stringify(config.rope_dim)}`]
      : []),
    ...(config.joint_residual_stream === true ? ["joint_residual_stream"] : []),
  ];
}

/** All layers, where the config has no rotary embedding. */
export function crosslayerRopeless({ position_embedding_type: type }: Json, layers: number): number[] {
  return type === "nope" ? Array.from({ length: layers }, (_, layer) => layer) : [];
}
