// Tokens per second of the last minutes, from the totals that the server noted each second: a colour per model, what was
// written in a full line, what was read of prompts in a dashed one.

import * as Plot from "@observablehq/plot";
import { useCallback, useContext } from "preact/hooks";
import { countText, integerText } from "../../src/charts/quantity.ts";
import type { ModelCard, StatsSample } from "../../src/server/page-api.ts";
import { Colors } from "../models.ts";
import { Chart } from "../parts/chart.tsx";

/** Kinds of tokens, and how their lines are drawn. */
const kinds = [
  { name: "written", key: "decodeTokens", dashes: undefined },
  { name: "read (prompts)", key: "prefillTokens", dashes: "2 4" },
] as const;

/** Tokens per second of one kind and model, between two samples. */
export interface Rate {
  readonly time: Date;
  readonly kind: string;
  readonly model: string;
  readonly rate: number;
}

/** Rates by model id. A model that was not there before, or began again, counts from its first sample on. */
export function ratesOf(history: readonly StatsSample[]): Rate[] {
  return history.slice(1).flatMap((sample, i) => {
    const before = history[i] as StatsSample;
    const seconds = (sample.time - before.time) / 1000;
    if (seconds <= 0) return [];
    return Object.entries(sample.models).flatMap(([model, totals]) =>
      kinds.map(({ name, key }) => {
        const last = before.models[model]?.[key];
        const tokens = last === undefined || last > totals[key] ? 0 : totals[key] - last;
        return { time: new Date(sample.time), kind: name, model, rate: tokens / seconds };
      }),
    );
  });
}

/** The chart, with its legend; nothing while no model has read or written a token. */
export function Throughput(props: { history: readonly StatsSample[]; now: number; models: readonly ModelCard[] }) {
  const { history, now, models } = props;
  const colors = useContext(Colors);
  const nameOf = useCallback((id: string) => models.find((card) => card.id === id)?.name ?? id, [models]);
  const drawn = [...new Set(history.flatMap(({ models }) => Object.keys(models)).map(nameOf))];
  const draw = useCallback(
    (width: number) => {
      const rates = ratesOf(history);
      const from = Math.min(now - 60_000, history[0]?.time ?? now);
      const most = Math.max(1, ...rates.map(({ rate }) => rate));
      const color = ({ model }: Rate) => colors.get(nameOf(model)) ?? "currentColor";
      return {
        marginLeft: 48,
        marginTop: 12,
        marginBottom: 30,
        x: { type: "time", domain: [new Date(from), new Date(now)], label: null },
        y: { domain: [0, most], nice: true, label: null },
        marks: [
          Plot.gridY({ strokeOpacity: 0.12, ticks: 4 }),
          Plot.axisY({ ticks: 4, tickSize: 0, tickFormat: countText }),
          Plot.axisX({ ticks: Math.round(width / 130), tickSize: 4 }),
          ...kinds.map(({ name, dashes }) =>
            Plot.lineY(
              rates.filter(({ kind }) => kind === name),
              {
                ...{ x: "time", y: "rate", z: "model", stroke: color, strokeWidth: 2 },
                ...(dashes === undefined ? {} : { strokeDasharray: dashes }),
              },
            ),
          ),
          Plot.tip(
            rates,
            Plot.pointerX({
              x: "time",
              y: "rate",
              title: ({ time, kind, rate, model }: Rate) =>
                `${nameOf(model)}, ${time.toLocaleTimeString()}\n${integerText(rate)} tokens/s ${kind}`,
            }),
          ),
        ],
      } satisfies Plot.PlotOptions;
    },
    [history, now, colors, nameOf],
  );
  if (!ratesOf(history).some(({ rate }) => rate > 0)) return null;
  return (
    <figure class="card">
      <figcaption>
        <h2>Tokens per second</h2>
        <ul class="legend">
          {drawn.map((name) => (
            <li key={name}>
              <i class="swatch line" style={{ background: colors.get(name) }} />
              {name}
            </li>
          ))}
          {kinds.map(({ name, dashes }) => (
            <li key={name}>
              <svg width="22" height="4" aria-hidden="true">
                <line x2="22" y1="2" y2="2" stroke="currentColor" stroke-width="2.5" stroke-dasharray={dashes} />
              </svg>
              {name}
            </li>
          ))}
        </ul>
      </figcaption>
      <Chart
        draw={draw}
        height={220}
        live={history.length > 1}
        label="Tokens per second, written and read, of the last minutes"
      />
    </figure>
  );
}
