// The thread that reads large bodies, and writes long chats as text, for large-bodies.ts.

import { parentPort } from "node:worker_threads";
import { errorData, InputError } from "../error.ts";
import { ChatTemplate } from "../text/chat-template.ts";
import { ApiError } from "./api-error.ts";
import { bodySchemas } from "./body-schemas.ts";
import { checkBody } from "./checked-body.ts";
import { packed, parsedBody } from "./json-body.ts";
import { scanned } from "./json-scan.ts";
import { type Answer, type Question, textOf } from "./large-bodies.ts";

const templates = new Map<string, ChatTemplate>();

parentPort?.on("message", (question: Question) => {
  const answer = answerTo(question);
  parentPort?.postMessage(answer, arraysOf(answer));
});

function answerTo(question: Question): Answer {
  try {
    if ("body" in question) {
      const bytes = new Uint8Array(question.bytes);
      return { value: checkBody(bodySchemas[question.body], packed(parsedBody(bytes, scanned(bytes)))) };
    }
    return { value: textOf(templateOf(question.template), question.chat) };
  } catch (error) {
    if (error instanceof ApiError) return { refusal: error.data };
    if (error instanceof InputError) return { mistake: errorData(error) };
    throw error;
  }
}

function templateOf({ source, tokens }: Pick<ChatTemplate, "source" | "tokens">): ChatTemplate {
  const key = JSON.stringify([source, tokens]);
  const template = templates.get(key) ?? new ChatTemplate(source, tokens);
  templates.set(key, template);
  return template;
}

/** The memory of the arrays of an answer, which goes over with it. */
function arraysOf(answer: Answer): ArrayBuffer[] {
  const value = "value" in answer ? answer.value : undefined;
  if (typeof value !== "object" || value === null) return [];
  const lists = Object.values(value).flat();
  return lists.flatMap((list) => (list instanceof Uint32Array ? [list.buffer as ArrayBuffer] : []));
}
