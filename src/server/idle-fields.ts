// Fields of the APIs of OpenAI, vLLM and llama.cpp that change no answer here, each with the values that ask nothing: these
// are taken, others refused by the field's name. What is no field at all is refused as such.

import { z } from "zod";

const flag = z.boolean();
const text = z.string().max(512);
const none = z.array(z.never()).max(0);
const cached = "taken; what begins alike is always found again";
const media = z.looseObject({}).meta({ description: "taken: there is no image or sound that it could be about" });
const unused = (what: string) => z.number().meta({ description: `taken where ${what} asks nothing` });

/** By field: what asks nothing. */
const idle = {
  // OpenAI's
  best_of: z.int().min(1).meta({ description: "as many as n: nothing is chosen from" }),
  function_call: z.enum(["none", "auto"]),
  functions: none.meta({ description: "tools by their older name; give tools" }),
  metadata: z.record(z.string(), z.unknown()).meta({ description: "taken, and not kept" }),
  parallel_tool_calls: flag,
  tool_choice: z.enum(["none", "auto"]),
  tools: none,
  modalities: z.array(z.literal("text")).max(1),
  prompt_cache_key: text.meta({ description: cached }),
  prompt_cache_options: z.looseObject({}).meta({ description: cached }),
  prompt_cache_retention: text,
  reasoning_effort: z.literal("none"),
  safety_identifier: text,
  service_tier: z.enum(["auto", "default"]),
  store: z.literal(false),
  suffix: z.literal(""),
  verbosity: z.literal("medium"),
  // vLLM's
  add_generation_prompt: z.literal(true),
  allowed_token_ids: none,
  bad_words: none,
  cache_salt: z.literal(""),
  continue_final_message: z.literal(false),
  documents: none,
  early_stopping: z.literal(false),
  echo: z.literal(false),
  guided_decoding_backend: text.meta({ description: "taken; there is one" }),
  include_reasoning: flag,
  include_stop_str_in_output: z.literal(false),
  length_penalty: z.literal(1),
  logits_processors: none,
  media_io_kwargs: media,
  min_tokens: z.literal(0),
  mm_processor_kwargs: media,
  priority: z.literal(0),
  request_id: text,
  return_mm_kwargs: flag,
  return_prompt_text: z.literal(false),
  return_token_ids: z.literal(false),
  return_token_offsets: z.literal(false),
  return_tokens_as_token_ids: z.literal(false),
  routed_experts_prompt_start: z.literal(0),
  session_id: text,
  skip_special_tokens: flag,
  spaces_between_special_tokens: flag,
  stream_interval: z.literal(1),
  truncation_side: z.enum(["left", "right"]).meta({ description: "taken: no prompt is made shorter" }),
  use_beam_search: z.literal(false),
  vllm_xargs: z.strictObject({}),
  watermarking: z.literal(false),
  // llama.cpp's
  cache_prompt: flag,
  dry_allowed_length: unused("dry_multiplier"),
  dry_base: unused("dry_multiplier"),
  dry_multiplier: z.literal(0),
  dry_penalty_last_n: unused("dry_multiplier"),
  dry_sequence_breakers: z.array(text).max(64).meta({ description: "taken where dry_multiplier asks nothing" }),
  dynatemp_exponent: unused("dynatemp_range"),
  dynatemp_range: z.literal(0),
  grammar: z.literal(""),
  id_slot: z.literal(-1),
  image_data: none,
  lora: none,
  min_keep: z.literal(0),
  mirostat: z.literal(0),
  mirostat_eta: unused("mirostat"),
  mirostat_tau: unused("mirostat"),
  n_discard: z.literal(0),
  n_indent: z.literal(0),
  n_keep: z.literal(0),
  n_predict: z.literal(-1),
  n_probs: z.literal(0),
  parse_tool_calls: z.literal(true),
  penalize_nl: z.literal(false),
  post_sampling_probs: z.literal(false),
  reasoning_budget: z.literal(-1),
  reasoning_format: z.enum(["none", "auto"]),
  repeat_last_n: unused("repeat_penalty"),
  repeat_penalty: z.literal(1),
  response_fields: none,
  return_progress: z.literal(false),
  return_tokens: z.literal(false),
  thinking_forced_open: z.literal(false),
  timings_per_token: z.literal(false),
  top_n_sigma: z.literal(-1),
  typical_p: z.literal(1),
  xtc_probability: z.literal(0),
  xtc_threshold: unused("xtc_probability"),
};

/** What to use instead of a field. */
const instead: Readonly<Record<string, string>> = {
  functions: "tools",
  function_call: "tool_choice, and tool_calls in messages",
  grammar: "response_format",
  guided_grammar: "structured_outputs",
  n_predict: "max_tokens",
  n_probs: "logprobs",
  prompt_logprobs: "echo and logprobs of POST /v1/completions",
  repeat_penalty: "repetition_penalty",
};

/** Fields that are known and always refused: whatever they hold would change the answer. */
const refused = new Set([
  "audio",
  "chat_template",
  "ec_transfer_params",
  "file",
  "guided_grammar",
  "guided_whitespace_pattern",
  "image_url",
  "input",
  "input_audio",
  "kv_transfer_params",
  "logprob_token_ids",
  "moderation",
  "prediction",
  "prompt_embeds",
  "prompt_logprobs",
  "repetition_detection",
  "samplers",
  "structural_tag",
  "t_max_predict_ms",
  "thinking_token_budget",
  "truncate_prompt_tokens",
  "web_search_options",
  "whitespace_pattern",
]);

/** A field that asks nothing, as a part of a body's schema. */
type Idle = { [Name in keyof typeof idle]: z.ZodOptional<(typeof idle)[Name]> };

/** The fields as parts of a body's schema. */
export const idleFields = Object.fromEntries(
  Object.entries(idle).map(([name, schema]) => [
    name,
    schema.optional().meta({ description: "taken where it asks nothing", ...schema.meta() }),
  ]),
) as Idle;

const schemas: ReadonlySet<unknown> = new Set(Object.values(idleFields));

/** Whether a field, by its schema, is one of these. */
export function isIdle(schema: unknown): boolean {
  return schemas.has(schema);
}

/** Whether a field is known and what it holds cannot be had. */
export function isRefused(field: string, value: unknown): boolean {
  if (Object.hasOwn(idle, field)) return !idle[field as keyof typeof idle].safeParse(value).success;
  return refused.has(field);
}

/** What to do about a field that is refused. */
export function adviceOn(field: string): string {
  return Object.hasOwn(instead, field) ? `use ${instead[field]}` : "leave it out";
}
