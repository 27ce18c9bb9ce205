// The three pictures of a study: cache against perplexity, loss against learning rate, loss against steps. Each is a
// self-contained SVG; where a value is not finite (a run that diverged) nothing is drawn.

import * as Plot from "@observablehq/plot";
import { type DrawingOptions, colorOf, draw, paper, textWidth } from "./drawing.ts";
import { boxesAlong, placeLabels, spread } from "./label-placement.ts";
import { paretoFront } from "./pareto.ts";
import { bytesText, integerText, rateText } from "./quantity.ts";
import type { CurvePoint } from "./result.ts";
import type { Estimate } from "./statistics.ts";
import type { SummaryRow } from "./summary.ts";

const defaultWidth = 720;
const fontSize = 12;
const [own, shared] = [colorOf(0), colorOf(1)]; // colours of models without and with borrowers
const grid = { stroke: "currentColor", strokeOpacity: 0.12 };
const faint = 0.55;

interface Place {
  x: number;
  y: number;
}

/** Bytes per token (log₂) against perplexity with error bars of one standard error, and the front as a staircase. */
export function paretoChart(summary: readonly SummaryRow[], options: DrawingOptions = {}): string {
  const width = options.width ?? defaultWidth;
  const rows = summary.filter(({ perplexity }) => Number.isFinite(perplexity.mean));
  const size = { width, height: 440, marginLeft: 58, marginRight: 20, marginTop: 46, marginBottom: 52 };
  const bytes = rows.map(({ kvBytesPerToken }) => kvBytesPerToken);
  const x = axis(bytes, "log", [size.marginLeft, width - size.marginRight], 0.12);
  const y = axis(rows.flatMap(({ perplexity }) => ends(perplexity)), "linear", [size.height - size.marginBottom, size.marginTop], 0.14);
  const stairs = staircase(rows);
  const at = (row: SummaryRow): Place => ({ x: x.at(row.kvBytesPerToken), y: y.at(row.perplexity.mean) });
  const bars = rows.flatMap(({ kvBytesPerToken, perplexity }) => {
    const [low, high] = ends(perplexity).map((value) => ({ x: x.at(kvBytesPerToken), y: y.at(value) }));
    return low && high ? boxesAlong([low, high]) : [];
  });
  const boxes = placeLabels(
    rows.map((row) => ({ ...at(row), width: textWidth(row.name, fontSize), height: 16 })),
    {
      frame: { x: size.marginLeft + 2, y: size.marginTop, width: width - size.marginLeft - size.marginRight, height: size.height - size.marginTop - size.marginBottom - 2 },
      hard: bars,
      soft: boxesAlong(stairs.map((step) => ({ x: x.at(step.bytes), y: y.at(step.loss) }))),
    },
  );
  const color = ({ model }: SummaryRow) => (model.sharing.some((owner, layer) => owner !== layer) ? shared : own);
  return draw(
    {
      ...size,
      x: { type: "log", base: 2, domain: x.domain, label: null },
      y: { domain: y.domain, label: null },
      marks: [
        Plot.gridY({ ...grid }),
        Plot.axisX({ ticks: powersOfTwo(x.domain), tickFormat: bytesText, tickSize: 4, label: null }),
        Plot.axisY({ tickSize: 0, label: null, ticks: 6 }),
        Plot.line(stairs, { x: "bytes", y: "loss", stroke: "currentColor", strokeOpacity: 0.35, strokeWidth: 1.5 }),
        Plot.ruleX(rows.filter(({ perplexity }) => perplexity.standardError !== undefined), {
          x: "kvBytesPerToken",
          y1: ({ perplexity }: SummaryRow) => ends(perplexity)[0],
          y2: ({ perplexity }: SummaryRow) => ends(perplexity)[1],
          stroke: color,
          strokeWidth: 1.5,
        }),
        ...rows.flatMap((row, i) => leader(at(row), boxes[i] as Box, x, y)),
        Plot.dot(rows, {
          x: "kvBytesPerToken",
          y: ({ perplexity }: SummaryRow) => perplexity.mean,
          r: 5,
          fill: (row: SummaryRow) => (row.onFront ? color(row) : paper(options)),
          stroke: color,
          strokeWidth: 2,
        }),
        ...rows.map((row, i) => {
          const box = boxes[i] as Box;
          return textAt({ x: box.x + box.width / 2, y: box.y + box.height / 2 }, row.name, "middle", options);
        }),
        ...legend([
          ["every layer its own KV", own, true],
          ["cross-layer sharing", shared, true],
          ["another model is better in both", "currentColor", false],
        ], size.marginLeft, 14, options),
        textAt({ x: size.marginLeft, y: 34 }, "↑ validation perplexity (± standard error)", "start", options, faint),
        textAt({ x: width - size.marginRight, y: size.height - 12 }, "KV cache, bytes per token (float32) →", "end", options, faint),
      ],
    },
    `KV cache bytes per token against validation perplexity of ${rows.length} models`,
    options,
  );
}
