// The body of POST /v1/chat/completions.

import { z } from "zod";
import { type GenerateOptions, generateSchema } from "../generate/request.ts";
import type { ChatMessage } from "../text/chat-template.ts";
import { ApiError } from "./api-error.ts";
import { commonFields, optionsOf } from "./request-fields.ts";

const part = z.strictObject({
  type: z.literal("text", { error: "must be text; images, sound and files are not supported" }),
  text: z.string(),
});

const message = z.strictObject({
  role: z.enum(["system", "developer", "user", "assistant"]),
  content: z.union([z.string(), z.array(part).min(1)], { error: "must be a text, or an array of text parts" }),
  name: z.string().max(256).optional(),
});

const own = generateSchema.shape;

/** Schema of the body. */
export const chatRequest = z.strictObject({
  ...commonFields,
  messages: z.array(message).min(1),
  max_completion_tokens: own.maxTokens.meta({ description: "the newer name of max_tokens" }),
  logprobs: z.boolean().default(false).meta({ description: "log-probabilities of the tokens" }),
  top_logprobs: own.logprobs.meta({ description: "and of so many of the likeliest; needs logprobs" }),
});

export type ChatRequest = z.output<typeof chatRequest>;

/** The messages, their parts joined. */
export function messagesOf({ messages }: ChatRequest): ChatMessage[] {
  return messages.map(({ role, content, name }) => ({
    role: role === "developer" ? "system" : role, // its newer name
    content: typeof content === "string" ? content : content.map(({ text }) => text).join(""),
    ...(name !== undefined && { name }),
  }));
}

/** The engine's options. @throws ApiError for what cannot be had together. */
export function chatOptions(request: ChatRequest): GenerateOptions {
  const { logprobs, top_logprobs: top, max_tokens: older, max_completion_tokens: newer } = request;
  if (top !== undefined && !logprobs) {
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
