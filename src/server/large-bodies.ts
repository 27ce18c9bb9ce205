// What large bodies need is done in a thread of their own (body-thread.ts), so that nobody waits while they are read and
// checked, and chats written as text; what small ones need is done at once. Knows no sockets.

import { type ErrorData, errorOf } from "../error.ts";
import type { Tool } from "../text/chat-message.ts";
import type { ChatTemplate } from "../text/chat-template.ts";
import { ApiError, type ApiErrorData } from "./api-error.ts";
import { largeBytes } from "./body-room.ts";
import { type BodyName, bodySchemas, type CheckedBody } from "./body-schemas.ts";
import { type Messages, templateMessages } from "./chat-messages.ts";
import { checkBody } from "./checked-body.ts";
import { parsedBody } from "./json-body.ts";
import { scanned } from "./json-scan.ts";
import { Thread } from "./thread.ts";

/** A chat to be written as text. */
export interface Chat {
  readonly messages: Messages;
  readonly tools?: readonly Tool[];
  /** Other names that the template may know. */
  readonly names?: Readonly<Record<string, unknown>>;
}

/** What the thread is asked. */
export type Question =
  | { readonly body: BodyName; readonly bytes: ArrayBuffer }
  | { readonly chat: Chat; readonly template: Pick<ChatTemplate, "source" | "tokens"> };

/** What it answers: what was asked for, a caller's mistake, or one in options. */
export type Answer = { readonly value: unknown } | { readonly refusal: ApiErrorData } | { readonly mistake: ErrorData };

/** A body that was read and checked. */
export interface Read<Name extends BodyName> {
  readonly request: CheckedBody<Name>;
  /** Whether it is large: what else depends on all of it is work for the thread. */
  readonly large: boolean;
}

/** From so many values on a body is large, however few its bytes. */
const largeValues = 256;

const thread = new Thread<Question, Answer>(new URL("./body-thread.js", import.meta.url));

/** Reads a body and checks it. @throws ApiError for what is no JSON object, or too much, or not what it should be. */
export async function readBytes<Name extends BodyName>(name: Name, bytes: ArrayBuffer): Promise<Read<Name>> {
  if (bytes.byteLength < largeBytes) {
    const scan = scanned(new Uint8Array(bytes));
    if (scan.values < largeValues) {
      const body = parsedBody(new Uint8Array(bytes), scan);
      return { request: checkBody(bodySchemas[name], body) as CheckedBody<Name>, large: false };
    }
  }
  return { request: (await ask({ body: name, bytes }, [bytes])) as CheckedBody<Name>, large: true };
}

/**
 * A chat as the text that a template makes of it.
 * @throws ApiError for messages that cannot be; InputError, with the template's words, if it refuses them.
 */
export async function chatText(template: ChatTemplate, chat: Chat, large: boolean): Promise<string> {
  if (!large) return textOf(template, chat);
  const { source, tokens } = template;
  return (await ask({ chat, template: { source, tokens } })) as string;
}

/** The same at once. */
export function textOf(template: ChatTemplate, { messages, tools, names }: Chat): string {
  return template.render(templateMessages(messages), tools, names);
}

async function ask(question: Question, moved: ArrayBuffer[] = []): Promise<unknown> {
  const answer = await thread.ask(question, moved);
  if ("value" in answer) return answer.value;
  throw "refusal" in answer ? ApiError.of(answer.refusal) : errorOf(answer.mistake);
}
