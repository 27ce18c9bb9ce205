// Validation loss at every learning rate that was tried, a line per model.

import * as Plot from "@observablehq/plot";
import { useCallback } from "preact/hooks";
import { estimateText, rateText } from "../../src/charts/quantity.ts";
import { ratePlot } from "../../src/charts/rate-plot.ts";
import type { StudyReply } from "../../src/server/page-api.ts";
import { Chart } from "../parts/chart.tsx";
import { Legend } from "../parts/legend.tsx";

type Tried = StudyReply["sweep"][number];

/** The chart; models by their colours. */
export function SweepChart({ sweep, colors }: { sweep: readonly Tried[]; colors: ReadonlyMap<string, string> }) {
  const draw = useCallback(
    (width: number): Plot.PlotOptions => {
      const shown = sweep.filter(({ loss }) => Number.isFinite(loss.mean)).sort((a, b) => a.rate - b.rate);
      const lines = [...colors].map(([name, color]) => ({
        color,
        points: shown.filter((tried) => tried.name === name),
      }));
      const plot = ratePlot(lines, {
        ...{ fractionBeside: 0.06, fractionAbove: 0.08, lossTicks: 5 },
        frameWidth: width - 68, // without the margins
      });
      const color = ({ name }: Tried) => colors.get(name);
      const point = { x: "rate", y: ({ loss }: Tried) => loss.mean };
      return {
        ...{ marginLeft: 48, marginTop: 12, marginBottom: 44 },
        ...plot,
        marks: [
          ...plot.marks,
          Plot.axisX({ ticks: [], label: "peak learning rate →", labelOffset: 40 }),
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
