// Loss against steps as options of Observable Plot: scales and axes, and a line per run or model. Report and
// page add names, tips and titles.

import * as Plot from "@observablehq/plot";
import { padded } from "./axis.ts";
import { countText } from "./quantity.ts";

/** A loss, nats per token, after so many steps. */
export interface LossPoint {
  readonly step: number;
  readonly loss: number;
}

/** A run's or a model's points by ascending step, their losses finite. */
export interface LossLine {
  /** As CSS writes it; Plot's own if undefined. */
  readonly color: string | undefined;
  readonly points: readonly LossPoint[];
  /** Whether more points are to come. */
  readonly live?: boolean;
}

/** What differs between drawings: ticks of both axes, lines' width in pixels, text of axes. */
export interface LossStyle {
  readonly ticks: { readonly steps: number; readonly losses: number };
  readonly lineWidth: number;
  /** In pixels; a page's style sheet says it if left out. */
  readonly fontSize?: number;
}

/** Scales and marks of all lines; those that are live are dashed. */
export function lossPlot(lines: readonly LossLine[], { ticks, lineWidth, ...text }: LossStyle) {
  const all = lines.flatMap(({ points }) => points);
  const steps = all.map(({ step }) => step);
  const losses = all.map(({ loss }) => loss);
  return {
    x: { domain: padded(steps, 0, 1), label: null },
    y: { domain: padded(losses, 0.05, 0.01), label: null },
    marks: [
      Plot.gridY({ strokeOpacity: 0.12, ticks: ticks.losses }),
      Plot.axisX({ ticks: ticks.steps, tickFormat: countText, tickSize: 4, ...text }),
      Plot.axisY({ ticks: ticks.losses, tickSize: 0, ...text }),
      ...lines.map(({ points, color, live }) =>
        Plot.line(points, {
          ...{ x: "step", y: "loss", stroke: color, strokeWidth: lineWidth },
          ...(live ? { strokeDasharray: "5 4" } : {}),
        }),
      ),
    ],
  } satisfies Plot.PlotOptions;
}
