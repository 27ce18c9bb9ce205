// Fields of the APIs of OpenAI, vLLM and llama.cpp that change no answer here, each with the values that ask nothing: these
// are taken, others refused by the field's name. What is no field at all is refused as such.

import { z } from "zod";

const flag = z.boolean();
const text = z.string().max(512);

/** By field: what asks nothing. */
const idle = {
  // OpenAI's
  best_of: z.int().min(1).meta({ description: "as many as n: nothing is chosen from" }),
  function_call: z.enum(["none", "auto"]),
  functions: z.array(z.never()).max(0).meta({ description: "tools by their older name; give tools" }),
  metadata: z.record(z.string(), z.unknown()).meta({ description: "taken, and not kept" }),
  parallel_tool_calls: flag,
  tool_choice: z.enum(["none", "auto"]),
  tools: z.array(z.never()).max(0),
  modalities: z.array(z.literal("text")).max(1),
  prompt_cache_key: text.meta({ description: "taken; what begins alike is always found again" }),
  prompt_cache_retention: text,
  reasoning_effort: z.literal("none"),
  safety_identifier: text,
  service_tier: z.enum(["auto", "default"]),
  store: z.literal(false),
  suffix: z.literal(""),
  verbosity: z.literal("medium"),
  // vLLM's
  add_generation_prompt: z.literal(true),
  add_special_tokens: flag,
  allowed_token_ids: z.array(z.never()).max(0),
  bad_words: z.array(z.never()).max(0),
  cache_salt: z.literal(""),
  chat_template_kwargs: z.strictObject({}),
  continue_final_message: z.literal(false),
  documents: z.array(z.never()).max(0),
  early_stopping: z.literal(false),
  echo: z.literal(false),
  include_reasoning: flag,
  include_stop_str_in_output: z.literal(false),
  length_penalty: z.literal(1),
  min_tokens: z.literal(0),
  priority: z.literal(0),
  request_id: text,
  return_token_ids: z.literal(false),
  return_tokens_as_token_ids: z.literal(false),
  skip_special_tokens: flag,
  spaces_between_special_tokens: flag,
  use_beam_search: z.literal(false),
  // llama.cpp's
  cache_prompt: flag,
  min_keep: z.literal(0),
  mirostat: z.literal(0),
  n_probs: z.literal(0),
  return_progress: z.literal(false),
  timings_per_token: z.literal(false),
  typical_p: z.literal(1),
};

/** Fields that are known and always refused: whatever they hold would change the answer. */
const refused = new Set([
  "audio",
  "chat_template",
  "dry_multiplier",
  "grammar",
  "guided_grammar",
  "guided_whitespace_pattern",
  "image_url",
  "input_audio",
  "file",
  "input",
  "kv_transfer_params",
  "logits_processors",
  "mm_processor_kwargs",
  "n_predict",
  "prediction",
  "prompt_embeds",
  "prompt_logprobs",
  "structural_tag",
  "thinking_token_budget",
  "truncate_prompt_tokens",
  "vllm_xargs",
  "web_search_options",
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
