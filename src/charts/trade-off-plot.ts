// Bytes per token (log₂) against perplexity as options of Observable Plot: scales, axes, error bars and the front as a
// staircase. Report and page add points, names and titles.

import * as Plot from "@observablehq/plot";
import type { Estimate } from "../tensor/estimate.ts";
import { ends, padded, powersOfTwo } from "./axis.ts";
import { bytesText } from "./quantity.ts";

/** A model as this plot shows it. */
export interface TradeOffRow {
  readonly kvBytesPerToken: number;
  readonly perplexity: Estimate;
}

/** What differs between drawings: colours of models, the room beside the points as fractions of their range, lines, text of axes. */
export interface TradeOffStyle<Row extends TradeOffRow> {
  readonly color: (row: Row) => string;
  readonly fractionBeside: number;
  readonly fractionAbove: number;
  readonly stairsOpacity: number;
  /** In pixels; a page's style sheet says it if left out. */
  readonly fontSize?: number;
}

/** Part of the bytes' range (log₂) by which models of the same bytes stand apart. */
const fractionApart = 0.022;

/** Where a model stands on the axis of bytes: at its bytes, and beside others that have the same. */
export function tradeOffPlace<Row extends TradeOffRow>(rows: readonly Row[]): (row: Row) => number {
  const powers = rows.map(({ kvBytesPerToken }) => Math.log2(kvBytesPerToken));
  const range = Math.max(1, ...powers.map((power) => power - Math.min(...powers)));
  return (row) => {
    const equal = rows.filter(({ kvBytesPerToken }) => kvBytesPerToken === row.kvBytesPerToken);
    const offset = (equal.indexOf(row) - (equal.length - 1) / 2) * fractionApart * range;
    return row.kvBytesPerToken * 2 ** (Number.isFinite(offset) && equal.length > 1 ? offset : 0);
  };
}

/** Scales and marks; `rows` are finite, `stairs` their front's corners. */
export function tradeOffPlot<Row extends TradeOffRow>(
  rows: readonly Row[],
  stairs: readonly { readonly bytes: number; readonly loss: number }[],
  { color, fractionBeside, fractionAbove, stairsOpacity, ...text }: TradeOffStyle<Row>,
) {
  const powers = rows.map(({ kvBytesPerToken }) => Math.log2(kvBytesPerToken));
  const [low, high] = padded(powers, fractionBeside, 1);
  const place = tradeOffPlace(rows);
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
        x: place,
        y1: ({ perplexity }: TradeOffRow) => ends(perplexity)[0],
        y2: ({ perplexity }: TradeOffRow) => ends(perplexity)[1],
        stroke: color,
        strokeWidth: 1.5,
      }),
    ],
  } satisfies Plot.PlotOptions;
}
