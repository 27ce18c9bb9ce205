// Chat: what does it say, and what does it cost? One prompt to one model, or to two at once, side by side.

import { useEffect, useRef, useState } from "preact/hooks";
import type { ModelCard } from "../../src/server/page-api.ts";
import { pairOf } from "../models.ts";
import { ModelChoice, Segments } from "../parts/field.tsx";
import { Heading } from "../parts/heading.tsx";
import { Composer } from "./composer.tsx";
import { Cost, type Holder } from "./cost.tsx";
import { type SamplingTexts, Settings, samplingOf, usualSampling } from "./settings.tsx";
import { Transcript } from "./transcript.tsx";
import type { Mode, Side } from "./turn.ts";
import { useChat } from "./use-chat.ts";

const modes = [
  ["complete", "Complete"],
  ["chat", "Chat"],
] as const;

/** A prompt that is ready in each mode. */
const readyPrompts: Readonly<Record<Mode, string>> = {
  complete: "The state of the Union",
  chat: "What can two layers of a model share?",
};

/** The view. It keeps its conversation while another view is shown. */
export function ChatView(props: { models: readonly ModelCard[]; preselected: string | undefined; visible: boolean }) {
  const { models, preselected, visible } = props;
  const cardOf = (id: string | undefined) => models.find((card) => card.id === id);
  const [pair] = useState(() => pairOf(models, cardOf(preselected)));
  const [leftId, setLeftId] = useState(pair?.[0].id);
  const [rightId, setRightId] = useState(pair?.[1].id);
  const [both, setBoth] = useState(pair !== undefined && pair[0] !== pair[1]);
  const [prompts, setPrompts] = useState(readyPrompts);
  const [texts, setTexts] = useState<SamplingTexts>(usualSampling);
  const [system, setSystem] = useState("");
  const { turns, busy, send, again, takeBack, stop, clear } = useChat();
  const [chosenMode, setMode] = useState<Mode | undefined>(turns.at(-1)?.mode);
  const field = useRef<HTMLTextAreaElement>(null);
  const known = cardOf(preselected) !== undefined;
  useEffect(() => {
    const asked = pairOf(models, cardOf(preselected));
    if (!known || !asked) return;
    setLeftId(asked[0].id);
    setRightId(asked[1].id);
  }, [preselected, known]);
  useEffect(() => {
    if (!busy || !visible) return;
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Escape") stop();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [busy, visible, stop]);

  const leftCard = cardOf(leftId) ?? models[0];
  const rightCard = cardOf(rightId) ?? models[0];
  if (!leftCard || !rightCard) {
    return <p class="error">The server has no models: start it with one, as in “crosslayer serve runs/x”.</p>;
  }
  const mode = chosenMode ?? (leftCard.chat ? "chat" : "complete");
  const asked = both ? { left: leftCard, right: rightCard } : { left: leftCard };
  const { sampling, problems } = samplingOf(texts);
  const manner = { sampling, system };
  const usable = !busy && Object.keys(problems).length === 0;
  const prompt = prompts[mode];
  const ready = usable && prompt.trim() !== "";
  const shown = turns.filter((turn) => turn.mode === mode);
  const holders = (Object.entries(asked) as [Side, ModelCard][]).map(([side, card]): Holder => {
    const last = shown.findLast(({ answers }) => answers[side])?.answers[side];
    const usage = last?.model === card.id ? last.usage : { prompt: 0, completion: 0, cached: 0 };
    return { card, usage };
  });
  const onSend = () => {
    if (!ready) return;
    send(prompt, mode, asked, manner);
    if (mode === "chat") setPrompts({ ...prompts, chat: "" });
  };
  return (
    <div class="chat-view">
      <Heading title="Chat" aside={<Segments label="Mode" value={mode} options={modes} onChange={setMode} />}>
        What does it say, and what does it cost?
      </Heading>
      <div class="chat-bar">
        <ModelChoice label={both ? "Left model" : "Model"} value={leftCard.id} models={models} onChange={setLeftId} />
        {both && <ModelChoice label="Right model" value={rightCard.id} models={models} onChange={setRightId} />}
        <label class="check">
          <input type="checkbox" checked={both} onChange={(event) => setBoth(event.currentTarget.checked)} />
          Side by side
        </label>
        <Settings
          {...{ texts, onChange: setTexts, onSystem: setSystem }}
          system={mode === "chat" ? system : undefined}
        />
      </div>
      <Cost holders={holders} />
      <Transcript
        turns={shown}
        cardOf={cardOf}
        unsaid={unsaidText(mode, both)}
        visible={visible}
        onEdit={
          busy || mode !== "chat"
            ? undefined
            : (turn) => {
                takeBack(turn);
                setPrompts({ ...prompts, [mode]: turn.question });
                field.current?.focus();
              }
        }
        onAgain={
          usable
            ? (turn, side) => {
                const card = asked[side as keyof typeof asked] ?? leftCard;
                again(turn, side, card, manner);
              }
            : undefined
        }
      />
      <Composer
        {...{ mode, prompt, busy, ready, empty: shown.length === 0, field }}
        onPrompt={(text) => setPrompts({ ...prompts, [mode]: text })}
        onSend={onSend}
        onStop={stop}
        onClear={() => clear(mode)}
      />
    </div>
  );
}

/** What Send does, for a reader who has not asked yet. */
function unsaidText(mode: Mode, both: boolean): string {
  const whom = both ? "both models" : "the model";
  return mode === "chat" ? `Send asks ${whom} the question below.` : `Send lets ${whom} go on with the text below.`;
}
