// The probes of a study as pictures: loss by place in the window, loss on pairs seen before and on others, what a pair so
// many tokens back is worth. Means over a model's runs, ± one standard error over seeds.

import * as Plot from "@observablehq/plot";
import { endLabels, endRoom, fontSize, layout, titles } from "../../charts/annotation.ts";
import { apart, ends, padded } from "../../charts/axis.ts";
import { draw, overlay, textAt, textWidth } from "../../charts/drawing.ts";
import type { DrawingOptions } from "../../charts/drawing-options.ts";
import { integerText } from "../../charts/quantity.ts";
import type { ContextProbes } from "../../eval/probes/probes.ts";
import { type Estimate, estimate } from "../../tensor/estimate.ts";
import type { SummaryRow } from "../numbers/summary.ts";

/** A picture, and what it shows. */
export interface ProbeChart {
  /** Of a file, without its ending. */
  readonly name: string;
  readonly svg: string;
  readonly caption: string;
}

interface Point {
  readonly at: number;
  readonly value: Estimate;
}

/** A picture for every probe and context that was asked; none where nothing was. */
export function probeCharts(
  summary: readonly SummaryRow[],
  drawing: DrawingOptions,
  colors: ReadonlyMap<string, string>,
): ProbeChart[] {
  const contexts = [
    ...new Set(summary.flatMap(({ runs }) => runs.flatMap(({ probes = [] }) => probes)).map(contextOf)),
  ];
  return contexts.flatMap((context): ProbeChart[] => {
    const window = `context ${integerText(context)}`;
    const lines = (pointsOf: (probes: ContextProbes) => readonly (readonly [at: number, value: number])[]) =>
      summary
        .map(({ name, runs }) => ({
          name,
          color: colors.get(name) as string,
          points: meansOf(runs, context, pointsOf),
        }))
        .filter(({ points }) => points.length > 0);
    const position = lines(({ position = [] }) => position.map(({ to, loss }) => [to, loss.value]));
    const retrieval = lines(({ retrieval = [] }) =>
      retrieval.map(({ distance, loss, control }) => [distance, control.value - loss.value]),
    );
    const repeated = lines(({ copying }) => (copying ? [[0, copying.repeated.value]] : []));
    const others = lines(({ copying }) => (copying ? [[0, copying.others.value]] : []));
    return [
      ...(position.length > 0
        ? [
            {
              name: `position-${context}`,
              svg: lineChart(position, [`↑ loss, nats per token; ${window}`, "place in the window, up to →"], drawing),
              caption: "Loss by place: what a model makes of a longer past.",
            },
          ]
        : []),
      ...(repeated.length > 0
        ? [
            {
              name: `copying-${context}`,
              svg: pairedRows(repeated, others, window, drawing),
              caption: "Copying: tokens whose pair with the one before stood earlier in the window, and all others.",
            },
          ]
        : []),
      ...(retrieval.length > 0
        ? [
            {
              name: `retrieval-${context}`,
              svg: lineChart(retrieval, [`↑ gain, nats; ${window}`, "tokens back →"], drawing),
              caption: "Retrieval: how much surer a value is when its key and value stood so many tokens back.",
            },
          ]
        : []),
    ];
  });
}

interface Line {
  readonly name: string;
  readonly color: string;
  readonly points: readonly Point[];
}

const contextOf = ({ context }: ContextProbes) => context;

function meansOf(
  runs: SummaryRow["runs"],
  context: number,
  pointsOf: (probes: ContextProbes) => readonly (readonly [at: number, value: number])[],
): Point[] {
  const found = new Map<number, number[]>();
  for (const probes of runs.flatMap(({ probes = [] }) => probes).filter((probes) => probes.context === context)) {
    for (const [at, value] of pointsOf(probes)) found.set(at, [...(found.get(at) ?? []), value]);
  }
  const points = [...found].map(([at, values]) => ({ at, value: estimate(values) }));
  return points.filter(({ value }) => Number.isFinite(value.mean)).sort((a, b) => a.at - b.at);
}

function lineChart(lines: readonly Line[], [above, below]: [string, string], drawing: DrawingOptions): string {
  const { size, frame } = layout(drawing, endRoom(lines, drawing), above);
  const all = lines.flatMap(({ points }) => points);
  const places = [...new Set(all.map(({ at }) => at))].sort((a, b) => a - b);
  const [low, high] = padded(places.map(Math.log), 0.02, 0.5);
  const options: Plot.PlotOptions = {
    ...size,
    x: { type: "log", domain: [Math.exp(low), Math.exp(high)], label: null },
    y: {
      domain: padded(
        all.flatMap(({ value }) => ends(value)),
        0.06,
        0.01,
      ),
      label: null,
    },
    marks: [
      Plot.gridY({ strokeOpacity: 0.12, ticks: 6 }),
      Plot.axisX({ ticks: apart(places, frame.width / (high - low)), tickFormat: integerText, tickSize: 4, fontSize }),
      Plot.axisY({ ticks: 6, tickSize: 0, fontSize }),
      ...lines.flatMap(({ points, color }) => [
        Plot.line(points, { x: "at", y: ({ value }: Point) => value.mean, stroke: color, strokeWidth: 2 }),
        Plot.ruleX(points, {
          x: "at",
          y1: ({ value }: Point) => ends(value)[0],
          y2: ({ value }: Point) => ends(value)[1],
          stroke: color,
        }),
      ]),
      overlay(({ x, y }) =>
        endLabels(
          lines.flatMap(({ points, name, color }) =>
            points.slice(-1).map(({ at, value }) => ({ x: x(at), y: y(value.mean), name, color })),
          ),
          frame,
          drawing,
        ),
      ),
      titles(size, above, below, drawing),
    ],
  };
  return draw(options, `${above.slice(2)} of ${lines.length} models`, drawing);
}

/** Two columns of points, a row a model, each with a scale of its own: models differ by far less than the columns do. */
function pairedRows(
  repeated: readonly Line[],
  others: readonly Line[],
  window: string,
  drawing: DrawingOptions,
): string {
  const names = repeated.map(({ name }) => name);
  const marginLeft = 24 + Math.max(...names.map((name) => textWidth(name, fontSize)));
  const { size } = layout(drawing, { height: 92 + 26 * names.length, marginTop: 40 });
  const half = (size.width - marginLeft - 40) / 2;
  const columns = [
    { title: "seen before", lines: repeated, from: marginLeft },
    { title: "other tokens", lines: others, from: marginLeft + half + 24 },
  ].map((column) => {
    const spans = column.lines.flatMap(({ points }) => points.flatMap(({ value }) => ends(value)));
    const [low, high] = padded(spans, 0.12, 0.02);
    const at = (value: number) => column.from + ((value - low) / (high - low)) * half;
    return { ...column, at, low, high };
  });
  const level = (i: number) => size.marginTop + 18 + 26 * i;
  const faint = { "fill-opacity": 0.7 };
  const marks = overlay(() => [
    ...names.map((name, i) => textAt(14, level(i), name, drawing)),
    ...columns.flatMap(({ title, lines, from, at, low, high }) => [
      textAt(from, size.marginTop - 18, title, drawing, faint),
      ...[low, (low + high) / 2, high].map((value, i) => {
        const anchor = ["start", "middle", "end"][i] as string;
        return textAt(at(value), level(names.length) + 4, value.toFixed(2), drawing, {
          ...faint,
          "text-anchor": anchor,
        });
      }),
      ...lines.flatMap(({ points, color }, i) =>
        points.flatMap(({ value }) => {
          const [x1, x2] = ends(value).map(at) as [number, number];
          const guide = { x1: from, x2: from + half, y1: level(i), y2: level(i), stroke: "currentColor" };
          return [
            ["line", { ...guide, "stroke-opacity": 0.12 }] as const,
            ["line", { x1, x2, y1: level(i), y2: level(i), stroke: color, "stroke-width": 1.5 }] as const,
            ["circle", { cx: at(value.mean), cy: level(i), r: 5, fill: color }] as const,
          ];
        }),
      ),
    ]),
  ]);
  return draw(
    { ...size, axis: null, marks: [marks, titles(size, "", `loss, nats per token; ${window} →`, drawing)] },
    `Loss on pairs seen before and on other tokens of ${names.length} models`,
    drawing,
  );
}
