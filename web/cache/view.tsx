// Cache: what is in the cache now, and how much more would fit?

import { useState } from "preact/hooks";
import { bytesText } from "../../src/charts/quantity.ts";
import type { ModelCard, StatsReply } from "../../src/server/page-api.ts";
import { TextField } from "../parts/field.tsx";
import { Heading } from "../parts/heading.tsx";
import { addressOf } from "../route.ts";
import { usePolled } from "../server/polled.ts";
import { requestJson } from "../server/request.ts";
import { EngineCard } from "./engine-card.tsx";
import { Throughput } from "./throughput.tsx";

/** How far back the chart goes, in milliseconds. */
const kept = 600_000;

const none: StatsReply["history"] = [];

/** The view: asks the server each second. */
export function CacheView({ models }: { models: readonly ModelCard[] }) {
  const { value: reply, error } = usePolled<StatsReply>("stats", 1, withHistory);
  const [context, setContext] = useState(String(models[0]?.config.context ?? 2048));
  const [opened] = useState(Date.now);
  const tokens = Number(context);
  const valid = Number.isInteger(tokens) && tokens >= 1;
  const loaded = models.flatMap((card) => {
    const stats = reply?.models[card.id];
    return stats ? [{ card, stats }] : [];
  });
  const idle = models.filter(({ id }) => reply && !reply.models[id]);
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
      <Throughput history={reply?.history ?? none} now={reply?.time ?? opened} />
      {loaded.map(({ card, stats }) => (
        <EngineCard key={card.id} card={card} stats={stats} context={valid ? tokens : card.config.context} />
      ))}
      {reply && loaded.length === 0 && (
        <p class="card empty">
          No model is in memory: each is loaded when it is first asked. <a href={addressOf("chat")}>Ask one.</a>
        </p>
      )}
      {reply && (
        <p class="note">
          {bytesText(reply.kvMemory)} for keys and values in all.
          {loaded.length > 0 && idle.length > 0 && ` Not in memory: ${idle.map(({ name }) => name).join(", ")}.`}
        </p>
      )}
    </>
  );
}

async function withHistory(signal: AbortSignal, last: StatsReply | undefined): Promise<StatsReply> {
  const since = last?.history.at(-1)?.time ?? 0;
  const reply = await requestJson<StatsReply>(`/api/stats?since=${since}`, signal);
  const old = last?.history.filter(({ time }) => time > reply.time - kept) ?? [];
  return { ...reply, history: [...old, ...reply.history.filter(({ time }) => time > since)] };
}
