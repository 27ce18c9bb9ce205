// Bytes per token (log₂) against perplexity as options of Observable Plot: scales, axes, error bars and the front as a
// staircase. Whoever draws it, report or page, adds points, names and titles.

import * as Plot from "@observablehq/plot";
import { isShared, type Sharing } from "../model/sharing.ts";
import type { Estimate } from "../tensor/estimate.ts";
import { ends, padded, powersOfTwo } from "./axis.ts";
import { colorOf } from "./palette.ts";
import { bytesText } from "./quantity.ts";

/** A model as this plot shows it. */
export interface TradeOffRow {
  readonly kvBytesPerToken: number;
  readonly perplexity: Estimate;
  readonly model: { readonly sharing: Sharing };
}

/** What differs between drawings: the room beside the points as fractions of their range, lines, text of axes. */
export interface TradeOffStyle {
  readonly fractionBeside: number;
  readonly fractionAbove: number;
  readonly stairsOpacity: number;
  /** In pixels; a page's style sheet says it if left out. */
  readonly fontSize?: number;
}

/** Colours of models in which every layer keeps its own keys and values, and of those in which layers share. */
export const [ownColor, sharedColor] = [colorOf(0), colorOf(1)];

/** The colour of a model's point. */
export const tradeOffColor = ({ model }: TradeOffRow) => (isShared(model.sharing) ? sharedColor : ownColor);

/** Scales and marks; `rows` are finite, `stairs` their front's corners. */
export function tradeOffPlot(
  rows: readonly TradeOffRow[],
  stairs: readonly { readonly bytes: number; readonly loss: number }[],
  { fractionBeside, fractionAbove, stairsOpacity, ...text }: TradeOffStyle,
) {
  const powers = rows.map(({ kvBytesPerToken }) => Math.log2(kvBytesPerToken));
  const [low, high] = padded(powers, fractionBeside, 1);
  const spans = rows.flatMap(({ perplexity }) => ends(perplexity));
  return {
    x: { type: "log", base: 2, domain: [2 ** low, 2 ** high], label: null },
    y: { domain: padded(spans, fractionAbove, 0.5), label: null },
    marks: [
      Plot.gridY({ strokeOpacity: 0.12, ticks: 6 }),
      Plot.axisX({ ticks: powersOfTwo(low, high), tickFormat: bytesText, tickSize: 4, ...text }),
      Plot.axisY({ ticks: 6, tickSize: 0, ...text }),
      Plot.line(stairs, { x: "bytes", y: "loss", strokeOpacity: stairsOpacity, strokeWidth: 1.5 }),
      Plot.ruleX(rows, {
        x: "kvBytesPerToken",
        y1: ({ perplexity }: TradeOffRow) => ends(perplexity)[0],
        y2: ({ perplexity }: TradeOffRow) => ends(perplexity)[1],
        stroke: tradeOffColor,
        strokeWidth: 1.5,
      }),
    ],
  } satisfies Plot.PlotOptions;
}
