// How one model's engine stands: its blocks, what they hold, how long its requests took, and how much more would fit.

import { bytesText, durationText, integerText } from "../../src/charts/quantity.ts";
import type { Quantiles } from "../../src/engine/latency.ts";
import type { EngineStats } from "../../src/engine/stats.ts";
import { sequencesThatFit } from "../../src/plan/kv-blocks.ts";
import type { ModelCard } from "../../src/server/page-api.ts";
import { useColor } from "../models.ts";
import { type BlockCounts, Blocks, blockStates } from "../parts/blocks.tsx";
import { Figures } from "../parts/heading.tsx";
import type { Standing } from "./standing.ts";

/** What the states of blocks mean. */
const meanings = {
  shared: "used by several (a shared beginning)",
  used: "used by one",
  cached: "kept for the next that begins alike",
  free: "free",
} as const;

/** What all cards are drawn to: pixels of a byte's height at a card's width, and blocks of a cell. */
export interface Scale {
  readonly pixelsPerByte: number;
  readonly perCell: number;
}

const width = 480;

/** Blocks by state; those that several sequences use are not counted as used by one. */
function countsOf({ used, shared, cached, free }: EngineStats["blocks"]): BlockCounts {
  return { shared, used: used - shared, cached, free };
}

/**
 * The card; `loaded` if the model is in memory; `context` is the length of the sequences that are to fit, in tokens;
 * `alone` if no twin stands beside it.
 */
export function EngineCard(props: {
  card: ModelCard;
  stats: Standing;
  loaded: boolean;
  context: number;
  scale: Scale;
  alone: boolean;
}) {
  const { card, stats, loaded, context, scale, alone } = props;
  const { blocks, blockSize, kvBytes, kvBytesUsed } = stats;
  const more = sequencesThatFit(blocks.free + blocks.cached, context, blockSize);
  const counts = countsOf(blocks);
  const color = useColor(card.name);
  const height = Math.max(8, kvBytes * scale.pixelsPerByte);
  const told = blockStates.map((state) => `${integerText(counts[state])} ${meanings[state]}`).join(", ");
  return (
    <section class="card engine" aria-label={`Cache of ${card.name}`}>
      <div class="engine-head">
        <h2>{card.name}</h2>
        <p class="note">
          {loaded
            ? `${bytesText(kvBytesUsed)} of ${bytesText(kvBytes)} in use`
            : `${bytesText(kvBytes)}, not loaded yet`}
          , {card.kvDtype}
        </p>
      </div>
      <p class="holds">
        <strong>{integerText(blocks.total * blockSize)}</strong> tokens fit: {integerText(blocks.total)} blocks of{" "}
        {integerText(blockSize)}
      </p>
      <Blocks
        {...{ counts, color, width, height }}
        perCell={scale.perCell}
        label={`${integerText(blocks.total)} blocks: ${told}`}
      />
      {alone && <Without card={card} stats={stats} height={height} perCell={scale.perCell} />}
      <ul class="legend">
        {blockStates.map((state) => (
          <li key={state}>
            <span style={{ color }}>
              <i class={`swatch block ${state}`} />
            </span>
            <span>
              <b>{integerText(counts[state])}</b> {meanings[state]}
            </span>
          </li>
        ))}
      </ul>
      <Figures
        entries={[
          ["Running", integerText(stats.running)],
          ["Waiting", integerText(stats.waiting)],
          ["More would fit", integerText(more), `of ${integerText(context)} tokens`],
          ["Decoding", integerText(stats.decodeRate), "tokens/s"],
          ["Found in the cache", `${(100 * stats.prefixHitRate).toFixed(0)}%`, "of prompt tokens"],
          ["Preemptions", integerText(stats.preemptions)],
        ]}
      />
      <Latencies {...stats.latency} />
    </section>
  );
}

/** The same memory if no layer shared. */
function Without(props: { card: ModelCard; stats: Standing; height: number; perCell: number }) {
  const { card, stats, height, perCell } = props;
  const { blocks, blockSize, kvBytes } = stats;
  const total = Math.floor(kvBytes / (card.unsharedKvBytesPerToken * blockSize));
  if (total >= blocks.total) return null;
  const taken = Math.min(total, blocks.used);
  const counts = { shared: 0, used: taken, cached: 0, free: total - taken };
  return (
    <div class="without">
      <p class="holds">
        <strong>{integerText(total * blockSize)}</strong> tokens would fit without sharing: {integerText(total)} blocks
      </p>
      <Blocks
        {...{ counts, width, height, perCell }}
        color="var(--soft)"
        label={`${integerText(total)} blocks without sharing, ${integerText(taken)} of them in use`}
      />
    </div>
  );
}

const kinds = [
  ["firstToken", "First token"],
  ["perToken", "Per token"],
  ["queue", "In the queue"],
] as const;

function Latencies(latency: EngineStats["latency"]) {
  const cell = (quantiles: Quantiles | undefined, part: keyof Quantiles) =>
    quantiles === undefined ? "–" : secondsText(quantiles[part]);
  return (
    <div class="latencies">
      <table aria-label="Latency of the last requests">
        <thead>
          <tr>
            <th scope="col">Latency</th>
            <th scope="col">median</th>
            <th scope="col">95%</th>
          </tr>
        </thead>
        <tbody>
          {kinds.map(([kind, name]) => (
            <tr key={kind} data-row={kind}>
              <th scope="row">{name}</th>
              <td>{cell(latency[kind], "median")}</td>
              <td>{cell(latency[kind], "p95")}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function secondsText(seconds: number): string {
  if (seconds >= 1) return durationText(seconds);
  const milliseconds = seconds * 1000;
  return `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`;
}
