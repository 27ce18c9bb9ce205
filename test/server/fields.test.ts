// Every field of the official client's requests, of vLLM's and of llama.cpp's: what asks nothing is taken, what would change
// the answer is honoured or refused by its own name.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, expect, test } from "vitest";
import { ApiError } from "../../src/server/api-error.ts";
import { chatRequest } from "../../src/server/chat-request.ts";
import { checkBody } from "../../src/server/checked-body.ts";
import { completionRequest, promptsOf } from "../../src/server/completion-request.ts";
import { askedFormat } from "../../src/server/format-fields.ts";

const chat = { model: "x", messages: [{ role: "user", content: "Hi" }] };
const text = { model: "x", prompt: "Hi" };
const kinds = {
  chat: (body: object) => checkBody(chatRequest, { ...chat, ...body }),
  completion: (body: object) => checkBody(completionRequest, { ...text, ...body }),
};

/** What a body is refused with. */
function refusal(check: (body: object) => unknown, body: object): Partial<ApiError> | undefined {
  try {
    check(body);
    return undefined;
  } catch (error) {
    if (error instanceof ApiError) return { status: error.status, code: error.code, param: error.param };
    throw error;
  }
}

/** The fields of an interface of the official client. */
function fieldsOf(file: string, name: string): string[] {
  const path = createRequire(import.meta.url)
    .resolve(`openai/${file}`)
    .replace(/\.js$/, ".d.ts");
  const body = new RegExp(`interface ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(readFileSync(path, "utf8"))?.[1] ?? "";
  return [...body.matchAll(/^ {4}(\w+)\??:/gm)].map(([, field]) => field as string);
}

describe("the official client's fields", () => {
  test.each([
    ["chat", fieldsOf("resources/chat/completions/completions", "ChatCompletionCreateParamsBase"), 37],
    ["completion", fieldsOf("resources/completions", "CompletionCreateParamsBase"), 18],
  ] as const)("of a %s are all known, and may be null where they are not needed", (kind, fields, least) => {
    expect(fields.length).toBeGreaterThanOrEqual(least);
    const check = kinds[kind];
    for (const field of fields) {
      const unlikely = refusal(check, { [field]: [["?"]] });
      expect([field, unlikely?.code]).not.toEqual([field, "unknown_parameter"]);
      expect([field, unlikely?.param?.split(/[.[]/)[0] ?? field]).toEqual([field, field]);
      if (["messages", "model"].includes(field)) continue;
      expect([field, refusal(check, { [field]: null })]).toEqual([field, undefined]);
    }
  });

  test("a prompt that is null begins a new document", () => {
    expect(promptsOf(kinds.completion({ prompt: null }))).toEqual([""]);
  });
});

const taken: Record<string, unknown[]> = {
  best_of: [1],
  chat_template_kwargs: [{}],
  metadata: [{}, { a: "b" }],
  n: [1],
  prompt_cache_key: ["x"],
  prompt_cache_options: [{}, { mode: "implicit" }, { mode: "explicit", ttl: "30m" }],
  prompt_cache_retention: ["in_memory", "24h"],
  reasoning_effort: ["none"],
  service_tier: ["auto", "default"],
  store: [false],
  stream_options: [{}, { include_usage: null, include_obfuscation: null }],
  verbosity: ["medium"],
  // vLLM's
  allowed_token_ids: [[]],
  bad_words: [[]],
  guided_decoding_backend: ["xgrammar"],
  include_reasoning: [true, false],
  length_penalty: [1],
  logits_processors: [[]],
  media_io_kwargs: [{}, { video: {} }],
  min_tokens: [0],
  mm_processor_kwargs: [{ a: 1 }],
  priority: [0],
  request_id: ["x"],
  return_mm_kwargs: [true],
  return_token_ids: [false],
  session_id: ["x"],
  skip_special_tokens: [true],
  stop_token_ids: [[]],
  stream_interval: [1],
  structured_outputs: [{}, { json: null, backend: "auto", disable_any_whitespace: false }, { json_object: false }],
  top_k: [-1, 0],
  truncation_side: ["left"],
  use_beam_search: [false],
  vllm_xargs: [{}],
  watermarking: [false],
  // llama.cpp's
  cache_prompt: [true, false],
  dry_base: [1.75],
  dry_multiplier: [0],
  dry_sequence_breakers: [["\n"]],
  dynatemp_range: [0],
  grammar: [""],
  id_slot: [-1],
  lora: [[]],
  mirostat: [0],
  mirostat_tau: [5],
  n_keep: [0],
  n_predict: [-1],
  parse_tool_calls: [true],
  post_sampling_probs: [false],
  reasoning_format: ["none", "auto"],
  repeat_last_n: [64],
  repeat_penalty: [1],
  response_fields: [[]],
  return_tokens: [false],
  top_n_sigma: [-1],
  xtc_probability: [0],
  xtc_threshold: [0.1],
};

const refused: Record<string, unknown[]> = {
  audio: [{ voice: "a", format: "wav" }],
  best_of: [0],
  function_call: [{ name: "x" }],
  functions: [[{ name: "x" }]],
  modalities: [["audio"], ["text", "audio"]],
  moderation: [{ model: "x" }],
  prediction: [{ type: "content", content: "x" }],
  reasoning_effort: ["low"],
  service_tier: ["flex", "priority"],
  store: [true],
  verbosity: ["low", "high"],
  web_search_options: [{}],
  // vLLM's
  allowed_token_ids: [[1]],
  bad_words: [["a"]],
  cache_salt: ["x"],
  chat_template: ["x"],
  include_stop_str_in_output: [true],
  length_penalty: [2],
  logits_processors: [["x"]],
  logprob_token_ids: [[1]],
  min_tokens: [1],
  prompt_embeds: ["x"],
  prompt_logprobs: [0],
  repetition_detection: [{ max_pattern_size: 0 }],
  return_prompt_text: [true],
  return_token_ids: [true],
  return_tokens_as_token_ids: [true],
  stream_interval: [5],
  thinking_token_budget: [5],
  truncate_prompt_tokens: [5, -1],
  use_beam_search: [true],
  vllm_xargs: [{ a: 1 }],
  watermarking: [true],
  // llama.cpp's
  dry_multiplier: [0.8],
  dynatemp_range: [1],
  grammar: ['root ::= "a"'],
  id_slot: [0],
  lora: [[{ id: 0, scale: 1 }]],
  mirostat: [2],
  n_predict: [5],
  n_probs: [2],
  repeat_penalty: [1.1],
  return_tokens: [true],
  samplers: [["top_k"]],
  t_max_predict_ms: [5],
  top_n_sigma: [1],
  typical_p: [0.5],
  xtc_probability: [0.5],
};

describe("by name and value", () => {
  const rows = (table: Record<string, unknown[]>) =>
    Object.entries(table).flatMap(([name, values]) => values.map((value) => [name, value] as const));
  const own = { chat: ["chat_template_kwargs"], completion: [] as string[] };

  test.each(rows(taken))("%s: %j asks nothing", (name, value) => {
    for (const [kind, check] of Object.entries(kinds)) {
      if (kind === "completion" && own.chat.includes(name)) continue;
      expect([kind, refusal(check, { [name]: value })]).toEqual([kind, undefined]);
    }
  });

  test.each(rows(refused))("%s: %j is refused by its name", (name, value) => {
    for (const check of Object.values(kinds)) {
      expect(refusal(check, { [name]: value })).toMatchObject({ status: 400, param: name });
      expect(refusal(check, { [name]: value })?.code).not.toBe("unknown_parameter");
    }
  });

  test.each([
    [{ functions: [{ name: "x" }] }, /use tools/],
    [{ n_predict: 5 }, /use max_tokens/],
    [{ n_probs: 5 }, /use logprobs/],
    [{ grammar: "x" }, /use response_format/],
  ])("%j: says what to use", (body, words) => {
    expect(() => kinds.chat(body)).toThrow(words);
  });

  test("special tokens come where they come without the field, and not otherwise", () => {
    expect(refusal(kinds.completion, { add_special_tokens: true })).toBeUndefined();
    expect(refusal(kinds.completion, { add_special_tokens: false })?.param).toBe("add_special_tokens");
    expect(refusal(kinds.chat, { add_special_tokens: false })).toBeUndefined();
    expect(refusal(kinds.chat, { add_special_tokens: true })?.param).toBe("add_special_tokens");
  });

  test("vLLM's json_object is any object", () => {
    const asked = askedFormat(kinds.chat({ structured_outputs: { json_object: true } }));
    expect(asked?.format).toEqual({ jsonSchema: { type: "object" } });
  });

  test("what a template may know is kept as it is", () => {
    const given = { enable_thinking: false, more: { a: null } };
    expect(kinds.chat({ chat_template_kwargs: given }).chat_template_kwargs).toEqual(given);
  });
});
