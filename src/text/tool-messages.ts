// Tools for templates that know none: the system's message lists what can be called; calls and answers become text, in the
// words of the Hermes form.

import type { ChatMessage, Tool } from "./chat-message.ts";
import { toolForms } from "./tool-form.ts";

const { mark, open, before, middle, after, close, between } = toolForms.hermes;

/** The messages as those of a chat without tools. */
export function plainMessages(messages: readonly ChatMessage[], tools: readonly Tool[]): ChatMessage[] {
  const plain = messages.map(plainMessage);
  if (tools.length === 0) return plain;
  const [first, ...rest] = plain;
  const introduced = introduction(tools);
  if (first?.role !== "system") return [{ role: "system", content: introduced }, ...plain];
  return [{ ...first, content: `${first.content}\n\n${introduced}` }, ...rest];
}

function plainMessage({ tool_calls: calls = [], tool_call_id: _, ...message }: ChatMessage): ChatMessage {
  if (message.role === "tool") {
    return { role: "user", content: `<tool_response>\n${message.content}\n</tool_response>` };
  }
  if (calls.length === 0) return message;
  const written = calls.map(({ function: { name, arguments: given } }) => {
    const named = JSON.stringify(name).slice(1, -1);
    return `${mark}${open}${before}${named}${middle}${JSON.stringify(given)}${after}${close}`;
  });
  return { ...message, content: [message.content, ...written].filter((text) => text !== "").join(between) };
}

/** Few words: the context of a small model is short. */
function introduction(tools: readonly Tool[]): string {
  const listed = tools.map(({ function: { name, description, parameters = {} } }) => {
    return `${name}(${membersOf(parameters)})${description === undefined ? "" : `: ${description}`}`;
  });
  return `Tools:\n${listed.join("\n")}\nTo call one: ${mark}{"name": …, "arguments": {…}}${close.trim()}`;
}

/** What a schema allows, as types are written: `city: "Oslo" | "Rome", days?: integer`. */
function membersOf(schema: object): string {
  const { properties, required } = schema as Record<string, unknown>;
  const needed: readonly unknown[] = Array.isArray(required) ? required : [];
  const members = Object.entries(properties ?? {});
  return members.map(([name, one]) => `${name}${needed.includes(name) ? "" : "?"}: ${typeOf(one)}`).join(", ");
}

function typeOf(schema: unknown): string {
  if (typeof schema !== "object" || schema === null) return "any";
  const { type, enum: values, items, anyOf } = schema as Record<string, unknown>;
  if (Array.isArray(values)) return values.map((value) => JSON.stringify(value)).join(" | ");
  if (Array.isArray(anyOf)) return anyOf.map(typeOf).join(" | ");
  if (type === "object") return `{${membersOf(schema)}}`;
  if (type === "array") return `${typeOf(items)}[]`;
  return type === undefined ? "any" : [type].flat().join(" | ");
}
