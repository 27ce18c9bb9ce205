// The config of the authors' gpt_crosslayer, in the words of its three versions. foreign/dolomite-config.ts reads them.

import type { ModelConfig } from "../model/config.ts";

type Words = Readonly<Record<string, unknown>>;

/** Why a model is not of the authors' architecture; undefined if it is. */
export function unsuitedAuthors(config: ModelConfig): string | undefined {
  const { width, heads, headDim, sharing, headNorms, ropeDim = headDim, ropeScaling, noRope = [], layers } = config;
  const back = sharing.findIndex((owner, layer) => owner < (sharing[layer - 1] ?? 0));
  const reasons = [
    width !== heads * headDim && `its ${heads} heads of ${headDim} are not its width ${width}`,
    back >= 0 &&
      `layer ${back} borrows from ${sharing[back]} after one that uses ${sharing[back - 1]}; theirs go in order`,
    headNorms && "it norms each head's queries and keys",
    ropeScaling && `it scales rotary embedding (${ropeScaling.type})`,
    ropeDim !== headDim && `it turns ${ropeDim} of a head's ${headDim} dimensions`,
    !Number.isInteger(config.ropeTheta) && `its rope theta ${config.ropeTheta} is no whole number`,
    noRope.length > 0 && noRope.length < layers && "some of its layers have no rotary embedding",
  ];
  return reasons.find((reason) => typeof reason === "string");
}

const architecture = { model_type: "gpt_crosslayer", architectures: ["GPTCrossLayerForCausalLM"] };

const commonWords = (config: ModelConfig): Words => ({
  ...{ vocab_size: config.vocab, normalization_function: "rmsnorm", layer_norm_epsilon: config.normEpsilon },
  ...{ initializer_range: config.initStd, position_embedding_type: config.noRope?.length ? "nope" : "rope" },
  ...{ rope_theta: config.ropeTheta, rope_scaling: null, sharing_pattern: config.sharing },
  ...{
    m_emb: null,
    m_width: null,
    m_residual: null,
    init_method: "normal",
    tie_word_embeddings: config.tiedEmbeddings,
  },
});

/** As ibm-granite/dolomite-engine read it in 2024: GPT-2's words. */
export function gptConfig(config: ModelConfig): Words {
  return {
    ...{ ...architecture, ...commonWords(config) },
    ...{ n_positions: config.context, n_embd: config.width, n_layer: config.layers, n_head: config.heads },
    ...{ num_key_value_heads: config.kvHeads, n_inner: config.mlpWidth, activation_function: "swiglu" },
    ...{ add_bias: config.biases.mlp, resid_pdrop: 0, embd_pdrop: 0, attn_pdrop: 0 },
    ...{ scale_attn_weights: true, joint_residual_stream: false, use_cache: true },
  };
}

/** As IBM/dolomite-engine read it in 2025: blocks by layer. */
export function laterConfig(config: ModelConfig): Words {
  const { biases } = config;
  const mixer = {
    ...{ sequence_mixer_type: "softmax_attention", num_attention_heads: config.heads },
    ...{ num_key_value_heads: config.kvHeads, softmax_dropout: 0, dropout: 0, add_bias: biases.qkv },
    attention_multiplier: null,
  };
  const mlp = {
    ...{ mlp_type: "MLP", intermediate_size: config.mlpWidth, activation_function: "swiglu" },
    ...{ dropout: 0, add_bias: biases.mlp },
  };
  return { ...blocks(config, mixer, mlp), use_cache: true };
}

/** As open-lm-engine/lm-engine reads it since 2026, which takes no field that it does not know. */
export function latestConfig(config: ModelConfig): Words {
  const { biases } = config;
  const mixer = {
    ...{ sequence_mixer_type: "softmax_attention", num_attention_heads: config.heads },
    ...{ num_key_value_heads: config.kvHeads, head_dim: null, softmax_dropout: 0, dropout: 0, add_bias: biases.qkv },
    ...{ attention_multiplier: null, attention_multiplier_method: "1 / sqrt(head_dim)" },
    ...{ attention_gate: false, exclusive_self_attention: false, sliding_window: null },
  };
  const mlp = {
    ...{ mlp_type: "MLP", intermediate_size: config.mlpWidth, activation_function: "swiglu" },
    ...{ dropout: 0, add_bias: biases.mlp },
  };
  return { ...blocks(config, mixer, mlp), embedding_init_method: "normal", use_depth_scaled_init: true };
}

function blocks(config: ModelConfig, mixer: Words, mlp: Words): Words {
  const { layers } = config;
  return {
    ...{ ...architecture, ...commonWords(config) },
    ...{ max_position_embeddings: config.context, hidden_size: config.width, num_layers: layers, embedding_dropout: 0 },
    ...{ rope_dim: config.noRope?.length ? null : config.headDim },
    sequence_mixer_blocks: Array.from({ length: layers }, () => mixer),
    mlp_blocks: Array.from({ length: layers }, () => mlp),
  };
}
