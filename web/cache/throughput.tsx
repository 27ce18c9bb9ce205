// Tokens per second of the last minutes, from the totals that the server noted each second.

import * as Plot from "@observablehq/plot";
import { useCallback } from "preact/hooks";
import { colorOf } from "../../src/charts/palette.ts";
import { countText, integerText } from "../../src/charts/quantity.ts";
import type { StatsSample } from "../../src/server/page-api.ts";
import { Chart } from "../parts/chart.tsx";
import { Legend } from "../parts/legend.tsx";

/** Kinds of tokens, and their colours. */
const kinds = [
  { name: "written", key: "decodeTokens", color: colorOf(0) },
  { name: "read (prompts)", key: "prefillTokens", color: colorOf(6) },
] as const;

const colors = new Map(kinds.map(({ name, color }) => [name, color]));

/** Tokens per second of one kind, between two samples. */
export interface Rate {
  readonly time: Date;
  readonly kind: string;
  readonly rate: number;
}

/** Rates of all models together. A model that was not there before, or began again, counts from its first sample on. */
export function ratesOf(history: readonly StatsSample[]): Rate[] {
  return history.slice(1).flatMap((sample, i) => {
    const before = history[i] as StatsSample;
    const seconds = (sample.time - before.time) / 1000;
    if (seconds <= 0) return [];
    return kinds.map(({ name, key }) => {
      const tokens = Object.entries(sample.models).reduce((sum, [id, { [key]: total }]) => {
        const last = before.models[id]?.[key];
        return last === undefined || last > total ? sum : sum + total - last;
      }, 0);
      return { time: new Date(sample.time), kind: name, rate: tokens / seconds };
    });
  });
}

/** The chart, with its legend. */
export function Throughput({ history, now }: { history: readonly StatsSample[]; now: number }) {
  const draw = useCallback(
    (width: number) => {
      const rates = ratesOf(history);
      const from = Math.min(now - 60_000, history[0]?.time ?? now);
      const most = Math.max(1, ...rates.map(({ rate }) => rate));
      return {
        marginLeft: 48,
        marginTop: 12,
        marginBottom: 30,
        x: { type: "time", domain: [new Date(from), new Date(now)], label: null },
        y: { domain: [0, most], nice: true, label: null },
        color: { domain: [...colors.keys()], range: [...colors.values()] },
        marks: [
          Plot.gridY({ strokeOpacity: 0.12, ticks: 4 }),
          Plot.axisY({ ticks: 4, tickSize: 0, tickFormat: countText }),
          Plot.axisX({ ticks: Math.round(width / 130), tickSize: 4 }),
          Plot.lineY(rates, { x: "time", y: "rate", stroke: "kind", strokeWidth: 2 }),
          Plot.tip(
            rates,
            Plot.pointerX({
              x: "time",
              y: "rate",
              title: ({ time, kind, rate }: Rate) =>
                `${time.toLocaleTimeString()}\n${integerText(rate)} tokens/s ${kind}`,
            }),
          ),
        ],
      } satisfies Plot.PlotOptions;
    },
    [history, now],
  );
  return (
    <figure class="card">
      <figcaption>
        <h2>Tokens per second</h2>
        <Legend colors={colors} />
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
