// What is said in a chat, as data: questions and the answers of one model or two. What is kept over a reload is here, and
// what of it goes with the next question.

import type { Message, Usage } from "../server/stream.ts";

/** Whether a model continues a text or answers. */
export type Mode = "complete" | "chat";

/** Which of two models. */
export type Side = "left" | "right";

/** What a model wrote, or is writing. */
export interface Answer {
  /** The model's id and its name. */
  readonly model: string;
  readonly name: string;
  readonly text: string;
  readonly status: "loading" | "waiting" | "writing" | "done" | "stopped" | "failed";
  readonly error?: string;
  /** What the reader should know of how it came about. */
  readonly notes: readonly string[];
  readonly usage: Usage;
  /** Tokens of question and answer alone, without what came before; 0 before it has ended. */
  readonly tokens: number;
  /** Seconds from the question to the first text, the model's loading not counted, and tokens per second after it. */
  readonly firstText?: number;
  readonly rate?: number;
}

/** A question and its answers. */
export interface Turn {
  readonly id: number;
  readonly mode: Mode;
  readonly question: string;
  readonly answers: Readonly<Partial<Record<Side, Answer>>>;
}

/** An answer that has just been asked for. */
export function noAnswer(model: string, name: string, loaded: boolean): Answer {
  return {
    ...{ model, name, text: "", status: loaded ? "waiting" : "loading", notes: [], tokens: 0 },
    usage: { prompt: 0, completion: 0, cached: 0 },
  };
}

/** Whether it is still to come. */
export function isOpen({ status }: Answer): boolean {
  return status === "loading" || status === "waiting" || status === "writing";
}

/** A question and an answer of one side. */
export interface Exchange {
  readonly question: string;
  readonly answer: string;
  readonly tokens: number;
}

/** What a side has said in a chat; a question that got no answer is not asked again along with the next. */
export function exchangesOf(turns: readonly Turn[], side: Side): Exchange[] {
  return turns.flatMap(({ mode, question, answers }) => {
    const answer = answers[side];
    if (mode !== "chat" || !answer || answer.text === "") return [];
    return [{ question, answer: answer.text, tokens: answer.tokens }];
  });
}

/** Tokens of a letter where nothing has been counted yet. */
const usualTokensPerLetter = 1 / 3;

/** How many of the oldest exchanges have to be left out, so that a context holds the next question and its answer. */
export function leftOut(
  exchanges: readonly Exchange[],
  question: string,
  { context, room }: { context: number; room: number },
): number {
  const letters = exchanges.reduce((sum, { question, answer }) => sum + question.length + answer.length, 0);
  let held = exchanges.reduce((sum, { tokens }) => sum + tokens, 0);
  const perLetter = letters > 0 && held > 0 ? held / letters : usualTokensPerLetter;
  const needed = Math.ceil(question.length * perLetter) + room;
  let count = 0;
  while (count < exchanges.length && held + needed > context) held -= exchanges[count++]?.tokens ?? 0;
  return count;
}

/** Exchanges and a question as messages, after the system prompt if there is one. */
export function messagesOf(exchanges: readonly Exchange[], question: string, system: string): Message[] {
  return [
    ...(system.trim() === "" ? [] : [{ role: "system", content: system } as const]),
    ...exchanges.flatMap(
      ({ question, answer }) =>
        [
          { role: "user", content: question },
          { role: "assistant", content: answer },
        ] as const,
    ),
    { role: "user", content: question },
  ];
}

const key = "crosslayer-chat";
const keptTurns = 60;

/** What was said in this tab before it was loaded again; what was being written then has stopped. */
export function storedTurns(): readonly Turn[] {
  try {
    const turns = JSON.parse(sessionStorage.getItem(key) ?? "[]") as Turn[];
    const ended = (answer: Answer): Answer => (isOpen(answer) ? { ...answer, status: "stopped" } : answer);
    return turns.map((turn) => ({
      ...turn,
      answers: Object.fromEntries(Object.entries(turn.answers).map(([side, answer]) => [side, ended(answer)])),
    }));
  } catch {
    return []; // another version's, or cut short
  }
}

/** Keeps what was said for this tab. */
export function storeTurns(turns: readonly Turn[]): void {
  try {
    sessionStorage.setItem(key, JSON.stringify(turns.slice(-keptTurns)));
  } catch {
    sessionStorage.removeItem(key); // more than the browser keeps
  }
}
