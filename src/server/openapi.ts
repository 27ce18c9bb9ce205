// The API's description, from the schemas that check requests: OpenAPI 3.1, whose schemas are JSON schemas.

import { z } from "zod";
import { chatRequest } from "./chat-request.ts";
import { completionRequest } from "./completion-request.ts";
import { detokenizeRequest, tokenizeRequest } from "./tokenizer-request.ts";

const usage = z.object({
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  total_tokens: z.int(),
  prompt_tokens_details: z.object({ cached_tokens: z.int() }),
});

const head = { id: z.string(), object: z.string(), created: z.int(), model: z.string() };
const reason = z.enum(["stop", "length", "tool_calls"]).nullable();
const anything = z.looseObject({}).nullable();

const replies = {
  CompletionReply: z.object({
    ...head,
    choices: z.array(z.object({ index: z.int(), text: z.string(), logprobs: anything, finish_reason: reason })),
    usage,
    system_fingerprint: z.string(),
  }),
  ChatCompletionReply: z.object({
    ...head,
    choices: z.array(
      z.object({
        index: z.int(),
        message: z.object({
          role: z.literal("assistant"),
          content: z.string().nullable(),
          refusal: z.null(),
          tool_calls: z
            .array(
              z.object({
                id: z.string(),
                type: z.literal("function"),
                function: z.object({ name: z.string(), arguments: z.string() }),
              }),
            )
            .optional(),
        }),
        logprobs: anything,
        finish_reason: reason,
      }),
    ),
    usage,
    system_fingerprint: z.string(),
  }),
  Models: z.object({
    object: z.literal("list"),
    data: z.array(
      z.object({
        id: z.string(),
        object: z.literal("model"),
        created: z.int(),
        owned_by: z.string(),
        max_model_len: z.int(),
      }),
    ),
  }),
  Error: z.object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().nullable(),
    }),
  }),
};

const reference = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const json = (name: string) => ({ "application/json": { schema: reference(name) } });
const errors = Object.fromEntries(
  Object.entries({
    400: "a field is wrong, unknown or not supported, or the request can never fit",
    401: "no key, or a wrong one",
    403: "a name or a page that may not ask",
    404: "no such model",
    413: "the body is too large",
    415: "the body is not JSON",
    429: "the queue is full; Retry-After says when to come again",
    503: "the server is ending, or its engine is being started anew",
  }).map(([status, description]) => [status, { description, content: json("Error") }]),
);

function completion(summary: string, request: string, reply: string) {
  const content = { ...json(reply), "text/event-stream": { schema: { type: "string" } } };
  return {
    post: {
      tags: ["OpenAI API"],
      summary,
      requestBody: { required: true, content: json(request) },
      responses: { 200: { description: "whole, or with `stream` as server-sent events", content }, ...errors },
    },
  };
}

const aboutTokens = (summary: string, request: string, description: string) => ({
  post: {
    tags: ["Tokens"],
    summary,
    requestBody: { required: true, content: json(request) },
    responses: { 200: { description, content: { "application/json": { schema: { type: "object" } } } }, ...errors },
  },
});

const plain = (tag: string, summary: string, type: string, schema: object = { type: "string" }) => ({
  get: { tags: [tag], summary, responses: { 200: { description: summary, content: { [type]: { schema } } } } },
});

/** The description; `secured` says whether a key is needed. */
export function openApi(version: string, secured: boolean): object {
  const schemas = {
    CompletionRequest: completionRequest,
    ChatCompletionRequest: chatRequest,
    TokenizeRequest: tokenizeRequest,
    DetokenizeRequest: detokenizeRequest,
    ...replies,
  };
  return {
    openapi: "3.1.0",
    info: {
      title: "crosslayer",
      version,
      description: "Language models whose layers share one KV cache, by the OpenAI API.",
    },
    paths: {
      "/v1/models": plain("OpenAI API", "The models that can be asked", "application/json", reference("Models")),
      "/v1/completions": completion("Go on from a prompt", "CompletionRequest", "CompletionReply"),
      "/v1/chat/completions": completion("Answer in a chat", "ChatCompletionRequest", "ChatCompletionReply"),
      "/tokenize": aboutTokens("The token ids of a text", "TokenizeRequest", "as `tokens`"),
      "/detokenize": aboutTokens("The text of token ids", "DetokenizeRequest", "as `prompt`"),
      "/tokenizer_info": plain("Tokens", "What the tokenizer is", "application/json", { type: "object" }),
      "/version": plain("Operation", "This server's version", "application/json", { type: "object" }),
      "/health": plain("Operation", "Whether requests are taken", "application/json", { type: "object" }),
      "/metrics": plain("Operation", "Metrics for Prometheus, by vLLM's names", "text/plain"),
    },
    components: {
      schemas: Object.fromEntries(
        Object.entries(schemas).map(([name, schema]) => {
          const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
          return [name, rest];
        }),
      ),
      ...(secured && { securitySchemes: { key: { type: "http", scheme: "bearer" } } }),
    },
    ...(secured && { security: [{ key: [] }] }),
  };
}
