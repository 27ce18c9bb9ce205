// What both kinds of completion take: fields of the OpenAI API as zod schemas, and vLLM's names for what that lacks. From
// them come types, checks, OpenAPI, and the engine's options. The engine checks numbers' ranges against the model.

import { randomInt } from "node:crypto";
import { z } from "zod";
import { type GenerateOptions, generateSchema } from "../generate/request.ts";

/** What is the engine's own: range, default and description. Other fields differ in one of them. */
const own = generateSchema.shape;

const jsonSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[\w-]{1,64}$/, "must be 1 to 64 letters, digits, _ or -")
    .meta({ description: "a name of your choice" }),
  description: z.string().optional(),
  schema: z.looseObject({}).meta({ description: "a JSON schema" }),
  strict: z.boolean().optional().meta({ description: "accepted; the schema is always kept to" }),
});

/** The fields; those that are absent or null have the defaults said here. */
export const commonFields = {
  model: z.string().meta({ description: "an id that GET /v1/models lists" }),
  stream: z.boolean().default(false).meta({ description: "send what comes as server-sent events" }),
  stream_options: z
    .strictObject({
      include_usage: z.boolean().default(false).meta({ description: "a last event with the tokens used" }),
      continuous_usage_stats: z
        .boolean()
        .default(false)
        .meta({ description: "the tokens used so far in every event (vLLM)" }),
    })
    .optional(),
  n: own.n,
  max_tokens: own.maxTokens.meta({ description: "most tokens to write; what the context holds if not given" }),
  stop: z
    .union([z.string().min(1), z.array(z.string().min(1)).max(16)])
    .optional()
    .meta({ description: "texts that end it, and are not given out" }),
  seed: z.int().optional().meta({ description: "the same seed, the same text; drawn if not given" }),
  temperature: z.number().min(0).max(2).default(1).meta({ description: "0 takes the likeliest token every time" }),
  top_p: z.number().min(0).max(1).default(1),
  frequency_penalty: own.frequencyPenalty,
  presence_penalty: own.presencePenalty,
  logit_bias: z.record(z.string().regex(/^\d{1,9}$/, "must be a token id"), z.number().min(-100).max(100)).optional(),
  response_format: z
    .discriminatedUnion("type", [
      z.strictObject({ type: z.literal("text") }),
      z.strictObject({ type: z.literal("json_object") }),
      z.strictObject({ type: z.literal("json_schema"), json_schema: jsonSchema }),
    ])
    .optional(),
  user: z.string().max(512).optional().meta({ description: "your name for who asks; it is logged, nothing else" }),
  top_k: own.topK.meta({ description: "only the k likeliest tokens; 0 for all (vLLM)" }),
  min_p: own.minP.meta({ description: "least part of the likeliest's probability (vLLM)" }),
  repetition_penalty: z.number().positive().max(1000).default(1).meta({ description: "1 is off (vLLM)" }),
  ignore_eos: own.ignoreEnd.meta({ description: "go on after the end of text (vLLM)" }),
  stop_token_ids: z.array(z.int().min(0)).max(64).optional().meta({ description: "tokens that end it (vLLM)" }),
};

/** What the fields are called that are options of the engine. */
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

const common = z.strictObject(commonFields);
type Common = z.output<typeof common>;

/** The engine's options; a request without a seed gets one of its own. */
export function optionsOf(request: Omit<Common, "model" | "stream">): GenerateOptions {
  const { response_format: format } = request;
  return {
    n: request.n,
    maxTokens: request.max_tokens,
    stop: request.stop,
    stopTokens: request.stop_token_ids,
    ignoreEnd: request.ignore_eos,
    seed: request.seed ?? randomInt(2 ** 32),
    temperature: request.temperature,
    topP: request.top_p || Number.MIN_VALUE, // the API allows 0: the likeliest token alone
    topK: request.top_k,
    minP: request.min_p,
    repetitionPenalty: request.repetition_penalty,
    presencePenalty: request.presence_penalty,
    frequencyPenalty: request.frequency_penalty,
    logitBias: request.logit_bias,
    ...(format?.type === "json_object" && { format: "json" as const }),
    ...(format?.type === "json_schema" && { format: { jsonSchema: format.json_schema.schema } }),
  };
}
