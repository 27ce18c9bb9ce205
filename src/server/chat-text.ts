// What an answer of a chat says, with the tools that it calls, as the API's objects: as deltas while it comes, and whole.

import { randomUUID } from "node:crypto";
import { type KnownTool, ToolCallReader, type ToolPiece } from "../text/tool-call-reader.ts";
import { type ToolForm, type ToolFormName, toolForms } from "../text/tool-form.ts";
import { finishReasonOf, type Written } from "./answers.ts";

/** A call in a delta: its beginning has a name, what follows has arguments alone. */
interface CallDelta {
  readonly index: number;
  readonly id?: string;
  readonly type?: "function";
  readonly function: { name?: string; arguments: string };
}

/** A delta's fields. */
export interface ChatDelta {
  content?: string;
  tool_calls?: CallDelta[];
}

/** One text of an answer. */
export interface ChatText {
  /** What is new; `ended` with the last piece. */
  delta(text: string, ended: boolean): ChatDelta;
  /** The API's reason for its end. */
  reason(reason: Written["finishReason"]): ReturnType<typeof finishReasonOf> | "tool_calls";
}

/** A text in which nothing is called. */
export const plainText: ChatText = {
  delta: (text) => (text === "" ? {} : { content: text }),
  reason: finishReasonOf,
};

/** A text that may call these tools. */
export function callingText(form: ToolFormName, tools: readonly KnownTool[]): ChatText {
  const reader = new ToolCallReader(form, tools);
  return {
    delta: (text, ended) => deltaOf([...reader.push(text), ...(ended ? reader.end() : [])], toolForms[form]),
    reason: (reason) => (reason === "stop" && reader.calls > 0 ? "tool_calls" : finishReasonOf(reason)),
  };
}

/** The API's `message` of a whole text. */
export function messageOf(text: ChatText, written: string) {
  const { content, tool_calls: calls } = text.delta(written, true);
  return {
    role: "assistant",
    content: content ?? (calls ? null : ""),
    refusal: null,
    ...(calls && { tool_calls: calls.map(({ index: _, ...call }) => call) }),
  };
}

/** Pieces as one delta; those of one call are one. */
function deltaOf(pieces: readonly ToolPiece[], { idLength }: ToolForm): ChatDelta {
  const delta: ChatDelta = {};
  const calls = new Map<number, CallDelta>();
  for (const piece of pieces) {
    if ("text" in piece) delta.content = (delta.content ?? "") + piece.text;
    else if ("name" in piece) {
      const letters = randomUUID().replaceAll("-", "");
      const id = idLength === undefined ? `call_${letters.slice(0, 24)}` : letters.slice(0, idLength);
      calls.set(piece.call, { index: piece.call, id, type: "function", function: { name: piece.name, arguments: "" } });
    } else {
      const call = calls.get(piece.call) ?? { index: piece.call, function: { arguments: "" } };
      call.function.arguments += piece.arguments;
      calls.set(piece.call, call);
    }
  }
  if (calls.size > 0) delta.tool_calls = [...calls.values()];
  return delta;
}
