// What the API calls the options of the engine.

import type { GenerateOptions } from "../generate/request.ts";

const fieldNames: Readonly<Record<keyof GenerateOptions, string>> = {
  n: "n",
  maxTokens: "max_tokens",
  stop: "stop",
  stopTokens: "stop_token_ids",
  ignoreEnd: "ignore_eos",
  format: "response_format",
  temperature: "temperature",
  topK: "top_k",
  topP: "top_p",
  minP: "min_p",
  repetitionPenalty: "repetition_penalty",
  presencePenalty: "presence_penalty",
  frequencyPenalty: "frequency_penalty",
  logitBias: "logit_bias",
  logprobs: "logprobs",
  promptLogprobs: "logprobs",
  seed: "seed",
};

/** The field that gives an option of the engine; what is none goes by its own name, such as `prompt`. */
export function fieldOf(option: string): string {
  return Object.hasOwn(fieldNames, option) ? fieldNames[option as keyof GenerateOptions] : option;
}
