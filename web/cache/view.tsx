// Cache: what is in the cache now, and how much more would fit? Every cache is drawn to one scale: the same area for the
// same bytes.

import { useState } from "preact/hooks";
import { bytesText, integerText } from "../../src/charts/quantity.ts";
import type { ModelCard, StatsReply } from "../../src/server/page-api.ts";
import { pairOf, shares, twinOf } from "../models.ts";
import { blocksPerCell } from "../parts/blocks.tsx";
import { TextField } from "../parts/field.tsx";
import { Heading } from "../parts/heading.tsx";
import { usePolled } from "../server/polled.ts";
import { request, requestJson } from "../server/request.ts";
import { EngineCard } from "./engine-card.tsx";
import { idleStanding, type Standing } from "./standing.ts";
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
  const loaded = models.filter(({ id }) => reply?.models[id]);
  const missing = reply ? missingOf(models, loaded) : [];
  const memory = largestOf(reply) ?? (reply?.kvMemory ?? 0) / missing.length;
  const shown = ordered([...loaded, ...missing]).map((card): Shown => {
    const stats = reply?.models[card.id];
    return { card, stats: stats ?? idleStanding(card, memory), loaded: stats !== undefined };
  });
  const cards = shown.map(({ card }) => card);
  const idle = models.filter((card) => reply && !cards.includes(card));
  const scale = {
    pixelsPerByte: highest / Math.max(1, ...shown.map(({ stats }) => stats.kvBytes)),
    perCell: blocksPerCell(Math.max(1, ...shown.map(({ stats }) => stats.blocks.total))),
  };
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
      {shown.length > 0 && (
        <div class="cache-point">
          <p class="point">{pointOf(cards)}</p>
          {missing.length > 0 && <Missing cards={missing} />}
        </div>
      )}
      <div class="engines">
        {shown.map(({ card, stats, loaded }) => (
          <EngineCard
            key={card.id}
            {...{ card, stats, loaded, scale }}
            context={valid ? tokens : card.config.context}
            alone={twinOf(card, cards) === undefined}
          />
        ))}
      </div>
      {reply && (
        <p class="note">
          {bytesText(reply.kvMemory)} for keys and values in all; it moves to the models whose requests wait for it. The
          same area is the same memory
          {scale.perCell > 1 && `, a square is ${integerText(scale.perCell)} blocks`}.
          {missing.length > 0 && " What is not loaded is drawn from its config, and live once it is."}
          {idle.length > 0 && ` Loaded when first asked: ${idle.map(({ id }) => id).join(", ")}.`}
        </p>
      )}
      {reply && <Throughput history={reply.history} now={reply.time} models={models} />}
    </>
  );
}

/** A model, how its engine stands or would stand, and whether it is in memory. */
interface Shown {
  readonly card: ModelCard;
  readonly stats: Standing;
  readonly loaded: boolean;
}

/** Bytes of the largest cache; undefined if there is none. */
function largestOf(reply: StatsReply | undefined): number | undefined {
  const sizes = Object.values(reply?.models ?? {}).map(({ kvBytes }) => kvBytes);
  return sizes.length > 0 ? Math.max(...sizes) : undefined;
}

/** Which of the two models that make the point are not in memory; none if a pair that makes it is. */
function missingOf(models: readonly ModelCard[], loaded: readonly ModelCard[]): ModelCard[] {
  const first = loaded.find((card) => twinOf(card, loaded)) ?? loaded.find(shares) ?? loaded[0];
  const pair = new Set(pairOf(models, first));
  return [...pair].filter((card) => !loaded.some(({ name }) => name === card.name));
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
function pointOf(cards: readonly ModelCard[]): string {
  const card = cards.find((one) => twinOf(one, cards)) ?? cards.find(shares) ?? cards[0];
  if (!card) return "";
  const times = Number((card.unsharedKvBytesPerToken / card.kvBytesPerToken).toPrecision(3));
  const twin = twinOf(card, cards);
  if (!shares(card)) return `${card.name} shares nothing: every layer keeps its own keys and values.`;
  const block = `A block of ${card.name} takes ${bytesText(card.blockSize * card.kvBytesPerToken)}`;
  const other = `${bytesText(card.blockSize * card.unsharedKvBytesPerToken)} ${twin ? `in ${twin.name}` : "without sharing"}`;
  return `${block}, ${other}: the same memory holds ${times}× the tokens.`;
}

/** A button that loads what is drawn without being in memory. */
function Missing({ cards }: { cards: readonly ModelCard[] }) {
  const [loading, setLoading] = useState(false);
  const [problem, setProblem] = useState<string>();
  const load = async () => {
    setLoading(true);
    setProblem(undefined);
    try {
      for (const { id } of cards) await request(`/api/models/${id}/load`, { method: "POST" });
    } catch (error) {
      setProblem((error as Error).message);
    }
    setLoading(false);
  };
  return (
    <div class="missing">
      {problem !== undefined && (
        <p class="error" role="alert">
          {problem}
        </p>
      )}
      <button type="button" onClick={load} disabled={loading}>
        {loading ? "Loading …" : `Load ${cards.length === 2 ? "both" : cards.map(({ name }) => name).join(" and ")}`}
      </button>
    </div>
  );
}

async function withHistory(signal: AbortSignal, last: StatsReply | undefined): Promise<StatsReply> {
  const since = last?.history.at(-1)?.time ?? 0;
  const reply = await requestJson<StatsReply>(`/api/stats?since=${since}`, signal);
  const old = last?.history.filter(({ time }) => time > reply.time - kept) ?? [];
  return { ...reply, history: [...old, ...reply.history.filter(({ time }) => time > since)] };
}
