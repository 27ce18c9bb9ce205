// Sharing: which layer reads whose keys and values, and what does that make room for? The numbers are those of
// `crosslayer plan`, computed here.

import { useMemo, useRef, useState } from "preact/hooks";
import { caption } from "../../src/charts/sharing-caption.ts";
import { kvFormats, weightFormats } from "../../src/model/formats.ts";
import { modelName } from "../../src/model/model-name.ts";
import { isShared, type Sharing, share } from "../../src/model/sharing.ts";
import type { ModelCard } from "../../src/server/page-api.ts";
import { pairOf } from "../models.ts";
import { Choice, ModelChoice, TextField } from "../parts/field.tsx";
import { Heading } from "../parts/heading.tsx";
import { isSame, namedSharings, turned } from "./edit.ts";
import { Picture } from "./picture.tsx";
import { PlanBlocks } from "./plan-blocks.tsx";
import { PlanTable } from "./plan-table.tsx";
import { type Planned, type PlanTexts, planned } from "./planned.ts";

/** The view. */
export function SharingView({ models }: { models: readonly ModelCard[] }) {
  const [id, setId] = useState(() => pairOf(models)?.[0].id);
  const card = models.find((model) => model.id === id) ?? models[0];
  if (!card) return <p class="error">The server has no models to look at.</p>;
  return (
    <>
      <Heading title="Sharing" aside={<ModelChoice label="Model" value={card.id} models={models} onChange={setId} />}>
        Which layer reads whose keys and values, and what does that make room for?
      </Heading>
      <Editor key={card.id} card={card} />
    </>
  );
}

function Editor({ card }: { card: ModelCard }) {
  const { config, kvDtype, weights } = card;
  const [sharing, setSharing] = useState<Sharing>(() => beginning(config.sharing));
  const [texts, setTexts] = useState<PlanTexts>({
    ...{ memory: "256MB", context: String(config.context), batch: "1" },
    ...{ kvDtype, weights },
  });
  const { plan, problems } = useMemo(() => planned({ ...config, sharing }, texts), [config, sharing, texts]);
  const last = useRef<Planned>(undefined);
  if (plan) last.current = plan;
  const change = (changed: Partial<PlanTexts>) => setTexts({ ...texts, ...changed });
  const named = namedSharings(config.layers);
  const choices = [{ name: "As trained", sharing: config.sharing }, ...named];
  return (
    <>
      <section class="card" aria-label="Pattern">
        <p class="model-name" role="status">
          <strong>{modelName({ ...card.config, sharing })}</strong> <span>{caption(sharing)}</span>
        </p>
        <fieldset class="chips">
          <legend class="hidden-text">Named patterns</legend>
          {choices.map((choice) => (
            <button
              key={choice.name}
              type="button"
              aria-pressed={isSame(choice.sharing, sharing)}
              onClick={() => setSharing(choice.sharing)}
            >
              {choice.name}
            </button>
          ))}
        </fieldset>
        {last.current && (
          <div class={plan ? undefined : "stale"}>
            <PlanBlocks plan={last.current} />
          </div>
        )}
        <Picture sharing={sharing} onTurn={(layer) => setSharing(turned(sharing, layer))} />
        <p class="note">Click a layer, or press Enter on it, to let it read its own, then each earlier owner’s.</p>
      </section>
      <section class="card" aria-label="What fits">
        <h2>What fits</h2>
        <div class="fields">
          <TextField
            label="Memory"
            value={texts.memory}
            error={problems.memory}
            onChange={(memory) => change({ memory })}
          />
          <TextField
            {...{ label: "Context, tokens", numeric: true }}
            value={texts.context}
            error={problems.context}
            onChange={(context) => change({ context })}
          />
          <TextField
            {...{ label: "Batch", numeric: true }}
            value={texts.batch}
            error={problems.batch}
            onChange={(batch) => change({ batch })}
          />
          <Choice
            label="Keys and values"
            value={texts.kvDtype}
            options={optionsOf(kvFormats)}
            onChange={(dtype) => change({ kvDtype: dtype })}
          />
          <Choice
            label="Weights"
            value={texts.weights}
            options={optionsOf(weightFormats)}
            onChange={(dtype) => change({ weights: dtype })}
          />
        </div>
        {last.current && (
          <div class={plan ? undefined : "stale"}>
            <PlanTable plan={last.current} />
          </div>
        )}
        <p class="note">
          Weights, keys and values on one device, as “crosslayer plan” counts them; activations are not in it.
        </p>
      </section>
    </>
  );
}

/** What the view begins with: the model as it is where it shares, else what sharing by pairs would make of it. */
function beginning(sharing: Sharing): Sharing {
  return isShared(sharing) || sharing.length < 2 ? sharing : share(sharing.length, 2);
}

function optionsOf<T extends string>(record: Readonly<Record<T, unknown>>): (readonly [T, string])[] {
  return (Object.keys(record) as T[]).map((name) => [name, name]);
}
