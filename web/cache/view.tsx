// Cache: what is in the cache now, and how much more would fit? Every cache is drawn to one scale: the same area for the
// same bytes.

import { useState } from "preact/hooks";
import { bytesText, integerText } from "../../src/charts/quantity.ts";
import type { EngineStats } from "../../src/engine/stats.ts";
import type { ModelCard, StatsReply } from "../../src/server/page-api.ts";
import { pairOf, shares, twinOf } from "../models.ts";
import { blocksPerCell } from "../parts/blocks.tsx";
import { TextField } from "../parts/field.tsx";
import { Heading } from "../parts/heading.tsx";
import { usePolled } from "../server/polled.ts";
import { request, requestJson } from "../server/request.ts";
import { EngineCard } from "./engine-card.tsx";
import { Throughput } from "./throughput.tsx";

/** How far back the chart goes, in milliseconds. */
const kept = 600_000;

/** Pixels that the largest cache is high. */
const highest = 170;

/** The view: asks the server each second. */
export function CacheView({ models }: { models: readonly ModelCard[] }) {
  const { value: reply, error } = usePolled<StatsReply>("stats", 1, withHistory);
  const [context, setContext] = useState(String(models[0]?.config.context ?? 2048));
  const tokens = Number(context);
  const valid = Number.isInteger(tokens) && tokens >= 1;
  const loaded = ordered(models).flatMap((card) => {
    const stats = reply?.models[card.id];
    return stats ? [{ card, stats }] : [];
  });
  const idle = models.filter(({ id }) => reply && !reply.models[id]);
  const scale = {
    pixelsPerByte: highest / Math.max(1, ...loaded.map(({ stats }) => stats.kvBytes)),
    perCell: blocksPerCell(Math.max(1, ...loaded.map(({ stats }) => stats.blocks.total))),
  };
  const there = loaded.map(({ card }) => card);
  return (
    <>
      <Heading
        title="Cache"
        aside={
          <TextField
            label="Context to fit, tokens"
            value={context}
            numeric
            onChange={setContext}
            error={valid ? undefined : "Give a whole number, 1 or more."}
          />
        }
      >
        What is in the cache now, and how much more would fit?
      </Heading>
      {error && (
        <p class="error" role="alert">
          {error.message}
        </p>
      )}
      {reply && <Missing models={models} loaded={there} />}
      {loaded.length > 0 && <p class="point">{pointOf(loaded)}</p>}
      <div class="engines">
        {loaded.map(({ card, stats }) => (
          <EngineCard
            key={card.id}
            {...{ card, stats, scale }}
            context={valid ? tokens : card.config.context}
            alone={twinOf(card, there) === undefined}
          />
        ))}
      </div>
      {reply && <Throughput history={reply.history} now={reply.time} models={models} />}
      {reply && (
        <p class="note">
          {bytesText(reply.kvMemory)} for keys and values in all; it moves to the models whose requests wait for it. The
          same area is the same memory
          {scale.perCell > 1 && `, a square is ${integerText(scale.perCell)} blocks`}.
          {loaded.length > 0 && idle.length > 0 && ` Not in memory: ${idle.map(({ id }) => id).join(", ")}.`}
        </p>
      )}
    </>
  );
}

/** Models that share, each followed by its twin that does not; then all others. */
function ordered(models: readonly ModelCard[]): ModelCard[] {
  const pairs = models.filter(shares).flatMap((card) => {
    const twin = twinOf(card, models);
    return twin ? [card, twin] : [card];
  });
  return [...new Set([...pairs, ...models])];
}

/** What the caches show, in a sentence. */
function pointOf(loaded: readonly { card: ModelCard; stats: EngineStats }[]): string {
  const cards = loaded.map(({ card }) => card);
  const card = cards.find((one) => twinOf(one, cards)) ?? cards.find(shares) ?? cards[0];
  if (!card) return "";
  const times = Number((card.unsharedKvBytesPerToken / card.kvBytesPerToken).toPrecision(3));
  const twin = twinOf(card, cards);
  if (!shares(card)) return `${card.name} shares nothing: every layer keeps its own keys and values.`;
  const block = `A block of ${card.name} takes ${bytesText(card.blockSize * card.kvBytesPerToken)}`;
  const other = `${bytesText(card.blockSize * card.unsharedKvBytesPerToken)} ${twin ? `in ${twin.name}` : "without sharing"}`;
  return `${block}, ${other}: the same memory holds ${times}× the tokens.`;
}

/** A button that loads the two models that make the point, where they are not there. */
function Missing({ models, loaded }: { models: readonly ModelCard[]; loaded: readonly ModelCard[] }) {
  const [loading, setLoading] = useState(false);
  const [problem, setProblem] = useState<string>();
  const pair = pairOf(models);
  const missing = [...new Set(pair)].filter((card) => !loaded.some(({ name }) => name === card.name));
  if (missing.length === 0) return null;
  const load = async () => {
    setLoading(true);
    setProblem(undefined);
    try {
      for (const { id } of missing) await request(`/api/models/${id}/load`, { method: "POST" });
    } catch (error) {
      setProblem((error as Error).message);
    }
    setLoading(false);
  };
  return (
    <div class="card empty">
      <p>
        {loaded.length === 0 ? "No model is in memory: each is loaded when it is first asked." : "One side is missing."}{" "}
        <button type="button" onClick={load} disabled={loading}>
          {loading ? "Loading …" : `Load ${missing.map(({ name }) => name).join(" and ")}`}
        </button>
      </p>
      {problem !== undefined && (
        <p class="error" role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}

async function withHistory(signal: AbortSignal, last: StatsReply | undefined): Promise<StatsReply> {
  const since = last?.history.at(-1)?.time ?? 0;
  const reply = await requestJson<StatsReply>(`/api/stats?since=${since}`, signal);
  const old = last?.history.filter(({ time }) => time > reply.time - kept) ?? [];
  return { ...reply, history: [...old, ...reply.history.filter(({ time }) => time > since)] };
}
