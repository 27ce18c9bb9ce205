// A conversation as it is read: the texts, how fast they come, and the cache they take. Text that is being written is
// not announced to screen readers; that it is done, is.

import { durationText, integerText } from "../../src/charts/quantity.ts";
import type { ModelCard } from "../../src/server/page-api.ts";
import { CacheBar } from "./cache-bar.tsx";
import type { Conversation, Mode } from "./conversation.ts";

/** One column. */
export function Column(props: { card: ModelCard; conversation: Conversation; mode: Mode; barLength: number }) {
  const { card, conversation, mode, barLength } = props;
  const { messages, status, usage, error } = conversation;
  return (
    <section class="card column" aria-label={`Conversation with ${card.name}`}>
      <h2>{card.name}</h2>
      <CacheBar card={card} usage={usage} length={barLength} />
      <div class="speeds">
        <dl>
          <div>
            <dt>First text after</dt>
            <dd>{conversation.firstText === undefined ? "–" : secondsText(conversation.firstText)}</dd>
          </div>
          <div>
            <dt>Tokens/s</dt>
            <dd class="rate">{conversation.rate === undefined ? "–" : rateText(conversation.rate)}</dd>
          </div>
        </dl>
        <p class="status" role="status">
          {statusText(conversation)}
        </p>
      </div>
      <div class={`texts ${mode}`} aria-live="off" aria-busy={status === "waiting" || status === "writing"}>
        {messages.length === 0 && (
          <p class="note">
            {mode === "chat" ? "The conversation will be here." : "The text and its continuation will be here."}
          </p>
        )}
        {messages.map(({ role, content }, i) => (
          <div key={i} class={role}>
            {mode === "chat" && <span class="who">{role === "user" ? "You" : card.name}</span>}
            <span class="text">{content}</span>
          </div>
        ))}
      </div>
      {error !== undefined && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
    </section>
  );
}

function statusText({ status, usage }: Conversation): string {
  switch (status) {
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
    case "idle":
      return "";
  }
}

function secondsText(seconds: number): string {
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : durationText(seconds);
}

function rateText(rate: number): string {
  return rate < 10 ? rate.toFixed(1) : integerText(rate);
}
