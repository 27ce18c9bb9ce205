// The messages of a chat: fields of the OpenAI API, with what its clients send back of an answer, as what templates read.

import { z } from "zod";
import type { ChatMessage } from "../text/chat-message.ts";
import { ApiError } from "./api-error.ts";

/** What parts and messages carry that asks nothing. */
const carried = {
  cache_control: z.looseObject({}).optional().meta({ description: "taken; what begins alike is always found again" }),
  prompt_cache_breakpoint: z.looseObject({}).optional().meta({ description: "the same" }),
  annotations: z.array(z.unknown()).optional().meta({ description: "of an answer; taken, and not read" }),
};

const textPart = z.strictObject({
  type: z.literal("text"),
  text: z.string(),
  role: z.string().optional(),
  refusal: z.string().optional(),
  ...carried,
});

const refusalPart = z.strictObject({ type: z.literal("refusal"), refusal: z.string() });

const partError = "must be text; images, sound and files are not supported";
const part = z.discriminatedUnion("type", [textPart, refusalPart], {
  error: ({ code }) => (code === "invalid_union" ? partError : undefined),
});

const content = z.union([z.string(), z.array(part)], { error: "must be a text, or an array of text parts" });
const named = { name: z.string().max(256).optional(), ...carried };

const toolCall = z.strictObject({
  id: z.string().max(256).optional(),
  type: z.literal("function").default("function"),
  index: z.int().optional(),
  function: z.strictObject({ name: z.string().min(1).max(256), arguments: z.string().default("{}") }),
});

const message = z.discriminatedUnion(
  "role",
  [
    z.strictObject({ role: z.literal("system"), content, ...named }),
    z.strictObject({ role: z.literal("developer"), content, ...named }),
    z.strictObject({ role: z.literal("user"), content, ...named }),
    z.strictObject({
      role: z.literal("assistant"),
      content: content.optional(),
      tool_calls: z.array(toolCall).max(128).optional(),
      refusal: z.string().optional(),
      reasoning_content: z.string().optional().meta({ description: "for templates that have a place for it" }),
      reasoning: z.string().optional(),
      parsed: z.unknown().optional().meta({ description: "what a client made of the content; taken, and not read" }),
      ...named,
    }),
    z.strictObject({
      role: z.literal("tool"),
      content,
      tool_call_id: z.string().max(256).optional(),
      ...named,
    }),
  ],
  {
    error: ({ code }) => (code === "invalid_union" ? "must be system, developer, user, assistant or tool" : undefined),
  },
);

/** The field. */
export const messagesField = z.array(message).min(1);

/** The messages, their parts joined. @throws ApiError for a tool's answer that nothing asked for. */
export function templateMessages(messages: z.output<typeof messagesField>): ChatMessage[] {
  let called = false;
  return messages.map((message, i) => {
    const { role } = message;
    if (role === "tool") {
      if (!called) {
        const param = `messages[${i}].role`;
        const problem = "tool: needs an assistant's message with tool_calls before it";
        throw new ApiError(400, `${param}: ${problem}`, { param, code: "invalid_value" });
      }
      return { ...common(message), tool_call_id: message.tool_call_id };
    }
    if (role !== "assistant") return common(message);
    const { tool_calls: calls = [], refusal, reasoning_content: thought = message.reasoning } = message;
    called ||= calls.length > 0;
    return {
      ...common(message),
      ...(message.content === undefined && refusal !== undefined && { content: refusal }),
      ...(thought !== undefined && { reasoning_content: thought }),
      ...(calls.length > 0 && { tool_calls: calls.map(templateCall) }),
    };
  });
}

function common({ role, content = "", name }: z.output<typeof message>): ChatMessage {
  return {
    role: role === "developer" ? "system" : role, // its newer name
    content: typeof content === "string" ? content : content.map(partText).join(""),
    ...(name !== undefined && { name }),
  };
}

function partText(given: z.output<typeof part>): string {
  return given.type === "text" ? given.text : given.refusal;
}

/** Templates write arguments as JSON themselves, so they get the object. */
function templateCall({ id, type, function: { name, arguments: text } }: z.output<typeof toolCall>) {
  let given: unknown = text;
  try {
    given = JSON.parse(text);
  } catch {
    // a model wrote it, and may have written anything
  }
  return { id, type, function: { name, arguments: given } };
}
