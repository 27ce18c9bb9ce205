// One conversation with one model: what was said, what is being written, how fast, and how many tokens it holds. Knows
// neither how it is shown nor the other column.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type Beginning, completion, type Message, type Sampling, type Usage } from "../server/stream.ts";

/** Whether a model continues a text or answers. */
export type Mode = "complete" | "chat";

/** How a conversation stands. */
export interface Conversation {
  readonly messages: readonly Message[];
  readonly status: "idle" | "waiting" | "writing" | "done" | "stopped" | "failed";
  readonly error: string | undefined;
  /** Of the last request; none before it. */
  readonly usage: Usage;
  /** Seconds to the first text, and tokens per second after it. */
  readonly firstText: number | undefined;
  readonly rate: number | undefined;
}

/** What can be done with it. */
export interface ConversationControl {
  readonly conversation: Conversation;
  readonly busy: boolean;
  send(text: string, mode: Mode, sampling: Sampling): void;
  stop(): void;
  clear(): void;
}

const empty: Conversation = {
  messages: [],
  status: "idle",
  error: undefined,
  usage: { prompt: 0, completion: 0, cached: 0 },
  firstText: undefined,
  rate: undefined,
};

/** A conversation with `model`, begun anew where another model is chosen. */
export function useConversation(model: string): ConversationControl {
  const [conversation, setConversation] = useState(empty);
  const running = useRef<AbortController>(undefined);
  const stop = useCallback(() => running.current?.abort(), []);
  const clear = useCallback(() => {
    running.current?.abort();
    running.current = undefined;
    setConversation(empty);
  }, []);
  useEffect(() => clear, [model, clear]);

  const send = async (text: string, mode: Mode, sampling: Sampling) => {
    const abort = new AbortController();
    running.current?.abort();
    running.current = abort;
    const before = mode === "chat" ? answered(conversation.messages) : [];
    const asked: Message[] = [...before, { role: "user", content: text }];
    const beginning: Beginning = mode === "chat" ? { messages: asked } : { prompt: text };
    let now: Conversation = { ...empty, messages: [...asked, { role: "assistant", content: "" }], status: "waiting" };
    const show = (change: Partial<Conversation>) => {
      now = { ...now, ...change };
      if (running.current === abort) setConversation(now);
    };
    show({});
    const start = performance.now();
    let first: { time: number; tokens: number } | undefined;
    let written = "";
    try {
      for await (const piece of completion(model, beginning, sampling, abort.signal)) {
        written += piece.text;
        const usage = piece.usage ?? now.usage;
        const time = performance.now();
        if (piece.text !== "") first ??= { time, tokens: usage.completion };
        const since = first && (time - first.time) / 1000;
        show({
          messages: [...asked, { role: "assistant", content: written }],
          status: "writing",
          usage,
          firstText: first && (first.time - start) / 1000,
          // The last event repeats the tokens of the one before: it adds time alone.
          rate: piece.text !== "" && since && first ? (usage.completion - first.tokens) / since : now.rate,
        });
      }
      show({ status: "done" });
    } catch (error) {
      if (abort.signal.aborted) show({ status: "stopped" });
      else show({ status: "failed", error: (error as Error).message });
    }
  };
  const busy = conversation.status === "waiting" || conversation.status === "writing";
  return { conversation, busy, send, stop, clear };
}

// A question that got no answer is not asked again along with the next.
function answered(messages: readonly Message[]): readonly Message[] {
  return messages.at(-1)?.content === "" ? messages.slice(0, -2) : messages;
}
