// The messages of a chat: fields of the OpenAI API, with what its clients send back of an answer, as what templates read.

import { z } from "zod";
import type { ChatMessage, ToolCall } from "../text/chat-message.ts";
import { ApiError } from "./api-error.ts";
import { mostValues, scanned } from "./json-scan.ts";

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
  function: z.strictObject({
    name: z.string().min(1).max(256),
    arguments: z.string().default("{}"),
    parsed_arguments: z.unknown().optional().meta({ description: "what a client made of them; taken, and not read" }),
  }),
});

type Call = z.output<typeof toolCall>;

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

/** The messages of a request. */
export type Messages = z.output<typeof messagesField>;

/**
 * The messages, their parts joined.
 * @throws ApiError for a tool's answer that nothing asked for, and for calls whose arguments hold too much.
 */
export function templateMessages(messages: Messages): ChatMessage[] {
  let called = false;
  let values = 0; // in all arguments
  const templateCall = ({ id, type, function: { name, arguments: text } }: Call, param: string): ToolCall => {
    const scan = scanned(new TextEncoder().encode(text), "arguments");
    values += scan.values;
    if (scan.tooMuch) throw wrong(param, scan.tooMuch.problem);
    if (values > mostValues) throw wrong(param, `those of all calls have more than ${mostValues} values`);
    return { id, type, function: { name, arguments: parsed(text) } };
  };
  return messages.map((message, i) => {
    const { role } = message;
    if (role === "tool") {
      if (!called) {
        throw wrong(`messages[${i}].role`, "tool: needs an assistant's message with tool_calls before it");
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
      ...(calls.length > 0 && {
        tool_calls: calls.map((call, j) => templateCall(call, `messages[${i}].tool_calls[${j}].function.arguments`)),
      }),
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

/** Arguments as templates get them, which write them as JSON themselves; what is no JSON stays as a model wrote it. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function wrong(param: string, problem: string): ApiError {
  return new ApiError(400, `${param}: ${problem}`, { param, code: "invalid_value" });
}
