// What was said: each question with the answers of one model or two beside each other, oldest first. Text that is being
// written is not announced to screen readers; that it is done, is.

import { useEffect, useRef } from "preact/hooks";
import { bytesText, durationText, integerText } from "../../src/charts/quantity.ts";
import type { ModelCard } from "../../src/server/page-api.ts";
import { useColor } from "../models.ts";
import { CopyButton } from "../parts/copy.tsx";
import { heldBytes } from "./cost.tsx";
import { type Answer, isOpen, type Mode, type Side, type Turn } from "./turn.ts";

/**
 * The turns of one mode; `onAgain` asks a side the last question again, `onEdit` takes that question back to be changed;
 * `visible` unless another view is shown.
 */
export function Transcript(props: {
  turns: readonly Turn[];
  cardOf: (id: string) => ModelCard | undefined;
  onAgain: ((turn: Turn, side: Side) => void) | undefined;
  onEdit: ((turn: Turn) => void) | undefined;
  unsaid: string;
  visible: boolean;
}) {
  const { turns, cardOf, onAgain, onEdit, unsaid, visible } = props;
  const last = turns.at(-1);
  useFollow(turns, visible);
  return (
    <div class="transcript">
      {turns.length === 0 && <p class="unsaid">{unsaid}</p>}
      {turns.map((turn) => (
        <article key={turn.id} class={`turn ${turn.mode}`}>
          <p class="question">
            <span class="hidden-text">{turn.mode === "chat" ? "You: " : "Text to continue: "}</span>
            {turn.question}
          </p>
          {turn === last && onEdit && (
            <div class="edit">
              <button type="button" class="quiet" onClick={() => onEdit(turn)}>
                Edit
              </button>
            </div>
          )}
          <div class={Object.keys(turn.answers).length > 1 ? "columns two" : "columns"}>
            {(["left", "right"] as const).map((side) => {
              const answer = turn.answers[side];
              if (!answer) return null;
              const again = turn === last && onAgain ? () => onAgain(turn, side) : undefined;
              return (
                <Written key={side} mode={turn.mode} answer={answer} card={cardOf(answer.model)} onAgain={again} />
              );
            })}
          </div>
        </article>
      ))}
    </div>
  );
}

function Written(props: {
  mode: Mode;
  answer: Answer;
  card: ModelCard | undefined;
  onAgain: (() => void) | undefined;
}) {
  const { mode, answer, card, onAgain } = props;
  const text = mode === "chat" ? answer.text.trimStart() : answer.text; // models begin an answer with a blank
  const { name, usage, notes, error, firstText, rate } = answer;
  const color = useColor(name);
  const tokens = usage.prompt + usage.completion;
  return (
    <section class="answer" aria-label={`Answer of ${name}`} style={{ borderColor: color }}>
      <div class="answer-head">
        <h2>{name}</h2>
        <p class="status" role="status">
          {statusText(answer)}
        </p>
      </div>
      <dl class="speeds">
        <div>
          <dt>First text</dt>
          <dd class="first-text">{firstText === undefined ? "–" : secondsText(firstText)}</dd>
        </div>
        <div>
          <dt>Tokens/s</dt>
          <dd class="rate">{rate === undefined ? "–" : rateText(rate)}</dd>
        </div>
        <div>
          <dt>Cache</dt>
          <dd>{card ? bytesText(heldBytes(card, tokens).own) : "–"}</dd>
        </div>
      </dl>
      <p class="text" aria-live="off" aria-busy={isOpen(answer)}>
        {text}
      </p>
      {notes.map((note) => (
        <p key={note} class="note">
          {note}
        </p>
      ))}
      {error !== undefined && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      {!isOpen(answer) && (
        <div class="answer-actions">
          {text !== "" && <CopyButton text={text} />}
          {onAgain && (
            <button type="button" class="quiet" onClick={onAgain}>
              Regenerate
            </button>
          )}
        </div>
      )}
    </section>
  );
}

function statusText({ status, usage }: Answer): string {
  switch (status) {
    case "loading":
      return "Loading the model";
    case "waiting":
      return "Reading";
    case "writing":
      return "Writing";
    case "done":
      return `Done: ${integerText(usage.completion)} tokens`;
    case "stopped":
      return "Stopped";
    case "failed":
      return "Failed";
  }
}

function secondsText(seconds: number): string {
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : durationText(seconds);
}

function rateText(rate: number): string {
  return rate < 10 ? rate.toFixed(1) : integerText(rate);
}

/** Pixels from the page's end within which a reader is taken to follow. */
const followWithin = 160;

/** Keeps the newest in sight for a reader who is at the end, and shows a question that was just asked. */
function useFollow(turns: readonly Turn[], visible: boolean): void {
  const seen = useRef(turns);
  const atEnd = useRef(true);
  useEffect(() => {
    const note = () => {
      const { scrollHeight, clientHeight } = document.documentElement;
      atEnd.current = scrollHeight - clientHeight - scrollY < followWithin;
    };
    addEventListener("scroll", note, { passive: true });
    return () => removeEventListener("scroll", note);
  }, []);
  useEffect(() => {
    if (seen.current === turns) return;
    const asked = turns.length > seen.current.length;
    seen.current = turns;
    if (visible && (asked || atEnd.current)) scrollTo(0, document.documentElement.scrollHeight);
  }, [turns, visible]);
}
