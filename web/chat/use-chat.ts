// A chat under way: asks one model or two, notes what they write as it comes, keeps it over a reload. Knows not how it is
// shown.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { ModelCard } from "../../src/server/page-api.ts";
import { RequestError, request } from "../server/request.ts";
import { completion, type Sampling } from "../server/stream.ts";
import {
  type Answer,
  exchangesOf,
  isOpen,
  leftOut,
  type Mode,
  messagesOf,
  noAnswer,
  type Side,
  storedTurns,
  storeTurns,
  type Turn,
} from "./turn.ts";

/** How a question is asked. */
export interface Manner {
  readonly sampling: Sampling;
  /** What stands before a chat; nothing if empty. */
  readonly system: string;
}

/** Whom a question goes to. */
export type Asked = Readonly<Partial<Record<Side, ModelCard>>>;

/** Milliseconds between a change and its being kept. */
const keepAfterMs = 300;

/** The chat of this tab. */
export function useChat() {
  const [turns, setTurns] = useState(storedTurns);
  const running = useRef(new Set<AbortController>());
  const latest = useRef(turns);
  latest.current = turns;
  useEffect(() => {
    const timer = setTimeout(() => storeTurns(turns), keepAfterMs);
    return () => clearTimeout(timer);
  }, [turns]);
  useEffect(() => {
    const keep = () => storeTurns(latest.current);
    addEventListener("pagehide", keep);
    return () => removeEventListener("pagehide", keep);
  }, []);
  const stop = useCallback(() => {
    for (const abort of running.current) abort.abort();
  }, []);

  const ask = async (turn: Turn, earlier: readonly Turn[], side: Side, card: ModelCard, manner: Manner) => {
    const abort = new AbortController();
    running.current.add(abort);
    let answer = noAnswer(card.id, card.name, card.loaded);
    const show = (change: Partial<Answer>) => {
      answer = { ...answer, ...change };
      setTurns((all) =>
        all.map((one) => (one.id === turn.id ? { ...one, answers: { ...one.answers, [side]: answer } } : one)),
      );
    };
    show({});
    try {
      await request(`/api/models/${card.id}/load`, { method: "POST", signal: abort.signal });
      for await (const change of answering(turn, earlier, side, card, manner, abort.signal)) show(change);
      show({ status: "done" });
    } catch (error) {
      if (abort.signal.aborted) show({ status: "stopped" });
      else show({ status: "failed", error: (error as Error).message });
    }
    running.current.delete(abort);
  };

  return {
    turns,
    busy: turns.some(({ answers }) => Object.values(answers).some(isOpen)),
    stop,
    /** Asks all of `asked` the same. */
    send(question: string, mode: Mode, asked: Asked, manner: Manner) {
      const turn: Turn = { id: Date.now(), mode, question, answers: {} };
      setTurns((all) => [...all, turn]);
      for (const [side, card] of sidesOf(asked)) void ask(turn, turns, side, card, manner);
    },
    /** Asks a side the last question of a turn again. */
    again(turn: Turn, side: Side, card: ModelCard, manner: Manner) {
      void ask(turn, turns.slice(0, turns.indexOf(turn)), side, card, manner);
    },
    /** Takes a question back, with its answers. */
    takeBack({ id }: Turn) {
      setTurns((all) => all.filter((turn) => turn.id !== id));
    },
    /** Forgets what was said in one mode. */
    clear(mode: Mode) {
      stop();
      setTurns((all) => all.filter((turn) => turn.mode !== mode));
    },
  };
}

function sidesOf(asked: Asked): [Side, ModelCard][] {
  return Object.entries(asked) as [Side, ModelCard][];
}

/** Changes of an answer, as it comes. A chat that a context does not hold goes without its beginning. */
async function* answering(
  { mode, question }: Turn,
  earlier: readonly Turn[],
  side: Side,
  { id, config: { context } }: ModelCard,
  { sampling, system }: Manner,
  signal: AbortSignal,
): AsyncGenerator<Partial<Answer>> {
  const exchanges = mode === "chat" ? exchangesOf(earlier, side) : [];
  const room = sampling.maxTokens ?? Math.min(256, Math.ceil(context / 4));
  let dropped = leftOut(exchanges, system + question, { context, room });
  for (;;) {
    const kept = exchanges.slice(dropped);
    const beginning = mode === "chat" ? { messages: messagesOf(kept, question, system) } : { prompt: question };
    const notes = dropped === 0 ? [] : [leftOutText(dropped, context)];
    yield { status: "waiting", notes };
    const before = kept.reduce((sum, { tokens }) => sum + tokens, 0);
    try {
      yield* written(completion(id, beginning, sampling, signal), { before, context, sampling, notes });
      return;
    } catch (error) {
      const full = error instanceof RequestError && error.code === "context_length_exceeded";
      if (!full || dropped === exchanges.length) throw error;
      dropped++;
    }
  }
}

async function* written(
  pieces: ReturnType<typeof completion>,
  about: { before: number; context: number; sampling: Sampling; notes: readonly string[] },
): AsyncGenerator<Partial<Answer>> {
  const start = performance.now();
  let first: { time: number; tokens: number } | undefined;
  let text = "";
  let usage: Answer["usage"] = { prompt: 0, completion: 0, cached: 0 };
  for await (const piece of pieces) {
    const time = performance.now();
    text += piece.text;
    usage = piece.usage ?? usage;
    if (piece.text !== "") first ??= { time, tokens: usage.completion };
    const since = first && (time - first.time) / 1000;
    const held = usage.prompt + usage.completion;
    yield {
      ...{ text, usage, status: "writing", tokens: Math.max(1, held - about.before) },
      ...(first && { firstText: (first.time - start) / 1000 }),
      // The last event repeats the tokens of the one before: it adds time alone.
      ...(piece.text !== "" && since && first ? { rate: (usage.completion - first.tokens) / since } : {}),
      ...(piece.finishReason === "length" && { notes: [...about.notes, endText(held, about)] }),
    };
  }
}

function leftOutText(count: number, context: number): string {
  const oldest = count === 1 ? "the oldest question and answer are" : `the oldest ${count} questions and answers are`;
  return `The context holds ${context.toLocaleString("en-US")} tokens: ${oldest} left out.`;
}

function endText(held: number, { context, sampling }: { context: number; sampling: Sampling }): string {
  if (held >= context || sampling.maxTokens === undefined) {
    return `The context of ${context.toLocaleString("en-US")} tokens is full: the text ends here.`;
  }
  return `Ended after ${sampling.maxTokens} tokens, as set.`;
}
