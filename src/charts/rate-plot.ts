// Loss against learning rate (log) as options of Observable Plot: scales, axes, a line and error bars per model. Report
// and page add points, names and titles.

import * as Plot from "@observablehq/plot";
import type { Estimate } from "../tensor/estimate.ts";
import { apart, ends, padded } from "./axis.ts";
import { rateText } from "./quantity.ts";

/** A learning rate that was tried, and what came of it. */
export interface RatePoint {
  readonly rate: number;
  readonly loss: Estimate;
}

/** A model's points by ascending rate, its losses finite. */
export interface RateLine {
  readonly color: string;
  readonly points: readonly RatePoint[];
}

/** What differs between drawings: the room beside the points as fractions of their range, ticks, text of axes. */
export interface RateStyle {
  readonly fractionBeside: number;
  readonly fractionAbove: number;
  readonly lossTicks: number;
  /** Between the frame's sides, in pixels. */
  readonly frameWidth: number;
  /** In pixels; a page's style sheet says it if left out. */
  readonly fontSize?: number;
}

/** Scales and marks of all lines. */
export function ratePlot(
  lines: readonly RateLine[],
  { fractionBeside, fractionAbove, lossTicks, frameWidth, ...text }: RateStyle,
) {
  const all = lines.flatMap(({ points }) => points);
  const rates = [...new Set(all.map(({ rate }) => rate))].sort((a, b) => a - b);
  const [low, high] = padded(rates.map(Math.log), fractionBeside, 0.5);
  const spans = all.flatMap(({ loss }) => ends(loss));
  return {
    x: { type: "log", domain: [Math.exp(low), Math.exp(high)], label: null },
    y: { domain: padded(spans, fractionAbove, 0.01), label: null },
    marks: [
      Plot.gridY({ strokeOpacity: 0.12, ticks: lossTicks }),
      Plot.axisX({ ticks: apart(rates, frameWidth / (high - low)), tickFormat: rateText, tickSize: 4, ...text }),
      Plot.axisY({ ticks: lossTicks, tickSize: 0, ...text }),
      ...lines.flatMap(({ points, color }) => [
        Plot.line(points, { x: "rate", y: ({ loss }: RatePoint) => loss.mean, stroke: color, strokeWidth: 2 }),
        Plot.ruleX(points, {
          x: "rate",
          y1: ({ loss }: RatePoint) => ends(loss)[0],
          y2: ({ loss }: RatePoint) => ends(loss)[1],
          stroke: color,
        }),
      ]),
    ],
  } satisfies Plot.PlotOptions;
}
