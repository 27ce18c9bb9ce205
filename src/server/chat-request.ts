// The body of POST /v1/chat/completions.

import { z } from "zod";
import { type GenerateOptions, generateSchema } from "../generate/request.ts";
import { ApiError } from "./api-error.ts";
import { messagesField } from "./chat-messages.ts";
import { commonFields, optionsOf } from "./request-fields.ts";
import { toolFields } from "./tool-fields.ts";

const own = generateSchema.shape;

/** Schema of the body. */
export const chatRequest = z.strictObject({
  ...commonFields,
  ...toolFields,
  messages: messagesField,
  add_special_tokens: z.literal(false, "must be false: the chat template writes them").optional(),
  chat_template_kwargs: z
    .record(z.string(), z.unknown())
    .optional()
    .meta({ description: "names that the model's own chat template may know, such as enable_thinking (vLLM)" }),
  max_completion_tokens: own.maxTokens.meta({ description: "the newer name of max_tokens" }),
  logprobs: z.boolean().default(false).meta({ description: "log-probabilities of the tokens" }),
  top_logprobs: own.logprobs.meta({ description: "and of so many of the likeliest; needs logprobs" }),
});

export type ChatRequest = z.output<typeof chatRequest>;

/** The engine's options. @throws ApiError for what cannot be had together. */
export function chatOptions(request: ChatRequest): GenerateOptions {
  const { logprobs, top_logprobs: top, max_tokens: older, max_completion_tokens: newer } = request;
  if (top && !logprobs) {
    throw new ApiError(400, "top_logprobs: needs logprobs to be true", {
      param: "top_logprobs",
      code: "invalid_value",
    });
  }
  if (older !== undefined && newer !== undefined && older !== newer) {
    throw new ApiError(400, `max_tokens: is ${older} and max_completion_tokens ${newer}; give one of them`, {
      param: "max_tokens",
      code: "invalid_value",
    });
  }
  return { ...optionsOf({ ...request, max_tokens: newer ?? older }), ...(logprobs && { logprobs: top ?? 0 }) };
}
