// The config of crosslayer's own code for transformers: any model of ours in Llama's words, with words of its own for what
// Llama has not, and in ours, which import reads back.

import type { ModelConfig } from "../model/config.ts";
import { rotaryTurns } from "../model/rotary.ts";

/** The fields of config.json that remote-code/configuration_crosslayer.py declares. */
export function ownConfig(config: ModelConfig): Readonly<Record<string, unknown>> {
  const { frequencies, amplitude } = rotaryTurns(config);
  const plain = config.ropeScaling === undefined && config.ropeDim === undefined;
  return {
    ...{ model_type: "crosslayer", architectures: ["CrossLayerForCausalLM"] },
    auto_map: {
      AutoConfig: "configuration_crosslayer.CrossLayerConfig",
      AutoModel: "modeling_crosslayer.CrossLayerModel",
      AutoModelForCausalLM: "modeling_crosslayer.CrossLayerForCausalLM",
    },
    ...{ vocab_size: config.vocab, hidden_size: config.width, intermediate_size: config.mlpWidth },
    ...{ num_hidden_layers: config.layers, num_attention_heads: config.heads, num_key_value_heads: config.kvHeads },
    ...{ head_dim: config.headDim, max_position_embeddings: config.context, sharing_pattern: config.sharing },
    ...{ kv_norm: config.kvNorm, head_norms: config.headNorms ?? null, layers_without_rope: config.noRope ?? [] },
    rope_theta: config.ropeTheta,
    rope_inverse_frequencies: plain ? null : frequencies,
    rope_amplitude: amplitude,
    ...{ rms_norm_eps: config.normEpsilon, initializer_range: config.initStd },
    ...{ attention_bias: config.biases.qkv, attention_output_bias: config.biases.output, mlp_bias: config.biases.mlp },
    ...{ tie_word_embeddings: config.tiedEmbeddings, use_cache: true, crosslayer: config },
  };
}
