// Validation loss at every learning rate that was tried, a line per model.

import * as Plot from "@observablehq/plot";
import { useCallback } from "preact/hooks";
import { apart, ends, padded } from "../../src/charts/axis.ts";
import { estimateText, rateText } from "../../src/charts/quantity.ts";
import type { StudyReply } from "../../src/server/page-api.ts";
import { Chart } from "../parts/chart.tsx";
import { Legend } from "../parts/legend.tsx";

type Tried = StudyReply["sweep"][number];

/** The chart; models by their colours. */
export function SweepChart({ sweep, colors }: { sweep: readonly Tried[]; colors: ReadonlyMap<string, string> }) {
  const draw = useCallback(
    (width: number): Plot.PlotOptions => {
      const shown = sweep.filter(({ loss }) => Number.isFinite(loss.mean)).sort((a, b) => a.rate - b.rate);
      const rates = [...new Set(shown.map(({ rate }) => rate))];
      const [low, high] = padded(rates.map(Math.log), 0.06, 0.5);
      const color = ({ name }: Tried) => colors.get(name);
      const point = { x: "rate", y: ({ loss }: Tried) => loss.mean };
      return {
        ...{ marginLeft: 48, marginTop: 12, marginBottom: 44 },
        x: { type: "log", domain: [Math.exp(low), Math.exp(high)], label: null },
        y: {
          domain: padded(
            shown.flatMap(({ loss }) => ends(loss)),
            0.08,
            0.01,
          ),
          label: null,
        },
        marks: [
          Plot.gridY({ strokeOpacity: 0.12, ticks: 5 }),
          Plot.axisX({ ticks: apart(rates, (width - 68) / (high - low)), tickFormat: rateText, tickSize: 4 }),
          Plot.axisX({ ticks: [], label: "peak learning rate →", labelOffset: 40 }),
          Plot.axisY({ ticks: 5, tickSize: 0 }),
          Plot.line(shown, { ...point, z: "name", stroke: color, strokeWidth: 2 }),
          Plot.ruleX(shown, {
            x: "rate",
            y1: ({ loss }: Tried) => ends(loss)[0],
            y2: ({ loss }: Tried) => ends(loss)[1],
            stroke: color,
          }),
          Plot.dot(shown, { ...point, fill: color, r: 5 }),
          Plot.tip(
            shown,
            Plot.pointer({
              ...point,
              title: ({ name, rate, loss }: Tried) =>
                `${name}\nlearning rate ${rateText(rate)}\nloss ${estimateText(loss, 4)}`,
            }),
          ),
        ],
      };
    },
    [sweep, colors],
  );
  return (
    <figure class="card">
      <figcaption>
        <h2>Learning rates</h2>
        <p class="note">Validation loss, nats per token.</p>
        <Legend colors={colors} />
      </figcaption>
      <Chart draw={draw} height={300} label={`Validation loss against learning rate of ${colors.size} models`} />
    </figure>
  );
}
