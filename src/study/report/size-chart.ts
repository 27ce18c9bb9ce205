// What sharing costs against models' size: differences with their intervals, the paper's beside them.

import * as Plot from "@observablehq/plot";
import { dot, fontSize, type LegendEntry, layout, leader, legend, nameIn, titles } from "../../charts/annotation.ts";
import { padded } from "../../charts/axis.ts";
import { draw, overlay, textWidth } from "../../charts/drawing.ts";
import { type DrawingOptions, isNarrow } from "../../charts/drawing-options.ts";
import { type Box, boxesAlong, placeLabels } from "../../charts/label-placement.ts";
import { countText } from "../../charts/quantity.ts";
import type { SizedContrast } from "../numbers/sized-contrasts.ts";

const meanings: Readonly<Record<SizedContrast["kind"], string>> = {
  twin: "against no sharing: twice the cache",
  sameCache: "against smaller heads: the same cache",
};

/** Differences of loss (nats per token, 95 % intervals) by parameters (log₁₀). */
export function sizeChart(contrasts: readonly SizedContrast[], drawing: DrawingOptions = {}): string {
  const title = "↑ loss of sharing minus that of the other, nats; below 0 sharing is better";
  const { size, frame } = layout(drawing, { height: 420, marginTop: 76 }, title);
  const sizes = contrasts.map(({ parameters }) => Math.log10(parameters));
  const [low, high] = padded(sizes, 0.12, 1);
  const decades = Array.from({ length: Math.floor(high) - Math.ceil(low) + 1 }, (_, i) => 10 ** (Math.ceil(low) + i));
  const spans = contrasts.flatMap(({ difference, interval = [difference, difference] }) => [...interval]);
  const entries = (["twin", "sameCache"] as const).map(
    (kind): LegendEntry => [meanings[kind], "currentColor", kind === "twin"],
  );
  const place = ({ kind, parameters }: SizedContrast) =>
    parameters * 10 ** ((kind === "twin" ? -0.004 : 0.004) * (high - low));
  const tightness = isNarrow(drawing) ? 0.87 : 1; // small letters in the widest of the fonts
  const nameOf = ({ label }: SizedContrast) => (isNarrow(drawing) ? label.replace("heads of ", "H") : label);
  const labelled = overlay(({ x, y }) => {
    const points = contrasts.map((contrast) => ({
      ...{ x: x(place(contrast)), y: y(contrast.difference) },
      ...{ width: textWidth(nameOf(contrast), fontSize) * tightness, height: 15 },
    }));
    const bars = contrasts.flatMap((contrast) =>
      boxesAlong((contrast.interval ?? []).map((end) => ({ x: x(place(contrast)), y: y(end) }))),
    );
    const zero = boxesAlong([
      { x: frame.x, y: y(0) },
      { x: frame.x + frame.width, y: y(0) },
    ]);
    const boxes = placeLabels(points, { frame, hard: bars, soft: zero });
    return points.flatMap((point, i) => {
      const [box, contrast] = [boxes[i] as Box, contrasts[i] as SizedContrast];
      const { kind, interval } = contrast;
      const [from, to] = (interval ?? []).map(y);
      return [
        ...leader(point, box),
        ...(from !== undefined && to !== undefined
          ? [
              [
                "line",
                { x1: point.x, x2: point.x, y1: from, y2: to, stroke: "currentColor", "stroke-width": 1.5 },
              ] as const,
            ]
          : []),
        dot(point.x, point.y, "currentColor", kind === "twin", drawing),
        nameIn(box, point.x, nameOf(contrast), drawing),
      ];
    });
  });
  return draw(
    {
      ...size,
      x: { type: "log", domain: [10 ** low, 10 ** high], label: null },
      y: { domain: padded([...spans, 0], 0.1, 0.01), label: null },
      marks: [
        Plot.gridY({ strokeOpacity: 0.12, ticks: 6 }),
        Plot.ruleY([0], { strokeOpacity: 0.6 }),
        Plot.axisX({ ticks: decades, tickFormat: countText, tickSize: 4, fontSize }),
        Plot.axisY({ ticks: 6, tickSize: 0, fontSize }),
        labelled,
        overlay(() => entries.flatMap((entry, i) => legend([entry], 14, 16 + 20 * i, drawing))),
        titles(size, title, "parameters without embeddings →", drawing),
      ],
    },
    `What sharing costs at ${new Set(sizes).size} sizes`,
    drawing,
  );
}
