// The genai_config.json by which onnxruntime-genai runs a decoder: what its inputs and outputs are called, and how many slots
// its past has.

import type { ModelConfig } from "../model/config.ts";
import { owners } from "../model/sharing.ts";
import type { TokenIds } from "./token-files.ts";

/** The fields that onnxruntime-genai reads. `file` is the model's path beside it. */
export function genaiConfig(model: ModelConfig, { begin, end, ends }: TokenIds, file: string): object {
  return {
    model: {
      ...{ type: "llama", vocab_size: model.vocab, context_length: model.context },
      ...{ bos_token_id: begin ?? end, eos_token_id: ends.length === 1 ? ends[0] : ends, pad_token_id: end },
      decoder: {
        session_options: { log_id: "onnxruntime-genai", provider_options: [] },
        ...{ filename: file, head_size: model.headDim, hidden_size: model.width },
        ...{ num_attention_heads: model.heads, num_key_value_heads: model.kvHeads },
        num_hidden_layers: owners(model.sharing).length,
        inputs: {
          ...{ input_ids: "input_ids", attention_mask: "attention_mask", position_ids: "position_ids" },
          ...{ past_key_names: "past_key_values.%d.key", past_value_names: "past_key_values.%d.value" },
        },
        outputs: {
          ...{ logits: "logits", present_key_names: "present.%d.key", present_value_names: "present.%d.value" },
        },
      },
    },
    search: {
      ...{ max_length: model.context, min_length: 0, past_present_share_buffer: false, do_sample: false },
      ...{ num_beams: 1, num_return_sequences: 1, temperature: 1, top_k: 50, top_p: 1, repetition_penalty: 1 },
    },
  };
}
