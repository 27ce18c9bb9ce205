// Chat: what does it say, and what does it cost? One prompt to one model, or to two at once, side by side.

import { useEffect, useState } from "preact/hooks";
import type { ModelCard } from "../../src/server/page-api.ts";
import { ModelChoice, Segments } from "../parts/field.tsx";
import { Heading } from "../parts/heading.tsx";
import { barLength } from "./cache-bar.tsx";
import { Column } from "./column.tsx";
import { type Mode, useConversation } from "./conversation.ts";
import { type SamplingTexts, Settings, samplingOf, usualSampling } from "./settings.tsx";

const modes = [
  ["complete", "Complete"],
  ["chat", "Chat"],
] as const;

/** The view. It keeps its conversations while another view is shown. */
export function ChatView(props: { models: readonly ModelCard[]; preselected: string | undefined; visible: boolean }) {
  const { models, preselected, visible } = props;
  const cardOf = (id: string | undefined) => models.find((card) => card.id === id);
  const first = cardOf(preselected) ?? models[0];
  const [leftId, setLeftId] = useState(first?.id ?? "");
  const [rightId, setRightId] = useState(models.find(({ id }) => id !== first?.id)?.id ?? first?.id ?? "");
  const [both, setBoth] = useState(false);
  const [chosenMode, setMode] = useState<Mode>();
  const [prompt, setPrompt] = useState("");
  const [texts, setTexts] = useState<SamplingTexts>(usualSampling);
  const left = useConversation(leftId);
  const right = useConversation(rightId);
  const used = both ? [left, right] : [left];
  const busy = used.some((control) => control.busy);
  const known = cardOf(preselected) !== undefined;
  useEffect(() => {
    if (preselected !== undefined && known) setLeftId(preselected);
  }, [preselected, known]);
  useEffect(() => {
    if (!busy || !visible) return;
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      left.stop();
      right.stop();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [busy, visible, left.stop, right.stop]);

  const leftCard = cardOf(leftId) ?? models[0];
  const rightCard = cardOf(rightId) ?? models[0];
  if (!leftCard || !rightCard) {
    return <p class="error">The server has no models: start it with one, as in “crosslayer serve runs/x”.</p>;
  }
  const mode = chosenMode ?? (leftCard.chat ? "chat" : "complete");
  const cards = both ? [leftCard, rightCard] : [leftCard];
  const length = Math.max(...cards.map(barLength));
  const { sampling, problems } = samplingOf(texts);
  const ready = prompt.trim() !== "" && !busy && Object.keys(problems).length === 0;

  const clear = () => {
    left.clear();
    right.clear();
  };
  const stop = () => {
    for (const control of used) control.stop();
  };
  const send = () => {
    if (!ready) return;
    for (const control of used) control.send(prompt, mode, sampling);
    if (mode === "chat") setPrompt("");
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.isComposing) return;
    if (!(event.ctrlKey || event.metaKey) && (mode !== "chat" || event.shiftKey)) return;
    event.preventDefault();
    send();
  };
  const changeMode = (next: Mode) => {
    if (next !== mode) clear();
    setMode(next);
  };
  return (
    <>
      <Heading title="Chat" aside={<Segments label="Mode" value={mode} options={modes} onChange={changeMode} />}>
        What does it say, and what does it cost?
      </Heading>
      <div class="chat-bar">
        <ModelChoice label={both ? "Left model" : "Model"} value={leftCard.id} models={models} onChange={setLeftId} />
        {both && <ModelChoice label="Right model" value={rightCard.id} models={models} onChange={setRightId} />}
        <label class="check">
          <input type="checkbox" checked={both} onChange={(event) => setBoth(event.currentTarget.checked)} />
          Side by side
        </label>
      </div>
      <form
        class="prompt card"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <label class="field">
          <span>{mode === "chat" ? "Message" : "Text to continue"}</span>
          <textarea
            rows={3}
            value={prompt}
            onInput={(event) => setPrompt(event.currentTarget.value)}
            onKeyDown={onKey}
          />
        </label>
        <div class="actions">
          {/* Keys: one button that turned from Stop to Send while it is clicked would send. */}
          {busy ? (
            <button key="stop" type="button" class="primary" onClick={stop}>
              Stop
            </button>
          ) : (
            <button key="send" type="submit" class="primary" disabled={!ready}>
              Send
            </button>
          )}
          <button type="button" onClick={clear} disabled={left.conversation.messages.length === 0}>
            Clear
          </button>
          <span class="note">
            {busy ? "Escape stops" : mode === "chat" ? "Enter sends, Shift+Enter breaks the line" : "Ctrl+Enter sends"}
          </span>
        </div>
        <Settings texts={texts} onChange={setTexts} />
      </form>
      <div class={both ? "columns two" : "columns"}>
        <Column card={leftCard} conversation={left.conversation} mode={mode} barLength={length} />
        {both && <Column card={rightCard} conversation={right.conversation} mode={mode} barLength={length} />}
      </div>
    </>
  );
}
