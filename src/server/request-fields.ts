// What both kinds of completion take: fields of the OpenAI API as zod schemas, and vLLM's names for what that lacks. From
// them come types, checks, OpenAPI, and the engine's options. The engine checks numbers' ranges against the model.

import { randomInt } from "node:crypto";
import { z } from "zod";
import { type GenerateOptions, generateSchema } from "../generate/request.ts";
import { ApiError } from "./api-error.ts";
import { askedFormat, formatFields } from "./format-fields.ts";
import { idleFields } from "./idle-fields.ts";

/** What is the engine's own: range, default and description. Other fields differ in one of them. */
const own = generateSchema.shape;

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
        .meta({ description: "with include_usage, the tokens used so far in every event (vLLM)" }),
      include_obfuscation: z.boolean().optional().meta({ description: "taken; events are never padded" }),
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
  user: z.string().max(512).optional().meta({ description: "your name for who asks; it is logged, nothing else" }),
  top_k: z.int().min(-1).default(0).meta({ description: "only the k likeliest tokens; 0 or -1 for all (vLLM)" }),
  min_p: own.minP.meta({ description: "least part of the likeliest's probability (vLLM)" }),
  repetition_penalty: z.number().positive().max(1000).default(1).meta({ description: "1 is off (vLLM)" }),
  ignore_eos: own.ignoreEnd.meta({ description: "go on after the end of text (vLLM)" }),
  stop_token_ids: z.array(z.int().min(0)).max(64).optional().meta({ description: "tokens that end it (vLLM)" }),
  ...formatFields,
  ...idleFields,
};

const common = z.strictObject(commonFields);
type Common = z.output<typeof common>;

/** What of a request the options depend on; a kind of request may give fields that ask nothing here a meaning. */
type Asking = Omit<Common, "model" | keyof typeof idleFields> & Pick<Common, "best_of">;

/** The engine's options; a request without a seed gets one of its own. @throws ApiError for what cannot be had together. */
export function optionsOf(request: Asking): GenerateOptions {
  const { n, best_of: best = n, stream, stream_options: streaming } = request;
  if (best !== n) {
    throw new ApiError(400, `best_of: is ${best} and n ${n}; choosing from more than are given is not supported`, {
      param: "best_of",
      code: "unsupported_parameter",
    });
  }
  if (!stream && (streaming?.include_usage || streaming?.continuous_usage_stats)) {
    throw new ApiError(400, "stream_options: needs stream to be true; an answer that is not streamed has its usage", {
      param: "stream_options",
      code: "invalid_value",
    });
  }
  return {
    n,
    maxTokens: request.max_tokens,
    stop: request.stop,
    stopTokens: request.stop_token_ids,
    ignoreEnd: request.ignore_eos,
    seed: request.seed ?? randomInt(2 ** 32),
    temperature: request.temperature,
    topP: request.top_p || Number.MIN_VALUE, // the API allows 0: the likeliest token alone
    topK: Math.max(0, request.top_k),
    minP: request.min_p,
    repetitionPenalty: request.repetition_penalty,
    presencePenalty: request.presence_penalty,
    frequencyPenalty: request.frequency_penalty,
    logitBias: request.logit_bias,
    format: askedFormat(request)?.format,
  };
}
