// Pictures of an inference evaluation: what memory holds, how decoding goes with batch and context, what a fixed memory
// serves. Knows no files.

import * as Plot from "@observablehq/plot";
import { type DrawingOptions, draw } from "../../charts/drawing.ts";
import { caseColor } from "../../charts/palette.ts";
import { bytesText, countText, integerText } from "../../charts/quantity.ts";
import type { InferenceResults } from "./inference.ts";

/** A case as the legend names it. */
const label = ({ name, kvDtype }: { name: string; kvDtype: string }) => `${name} ${kvDtype}`;

interface Point {
  readonly case: string;
  readonly x: number;
  readonly y: number;
}

/** The evaluation's pictures by file name; those that would be empty are left out. */
export function inferenceCharts(results: InferenceResults, drawing: DrawingOptions = {}): Record<string, string> {
  const { capacity, decode, throughput } = results;
  const cases = capacity.map(label);
  const most = (of: "batch" | "context") => Math.max(...decode.map((row) => row[of]));
  const byBatch = decode.filter(({ context }) => context === most("context"));
  const byContext = decode.filter(({ batch }) => batch === most("batch"));
  const memory = capacity[0]?.kvMemory ?? 0;
  const charts: Record<string, string | undefined> = {
    "capacity.svg": bars(
      capacity.map((row) => ({ case: label(row), x: row.tokens, y: 0 })),
      `tokens that ${bytesText(memory)} of cache hold →`,
      drawing,
    ),
    "batch.svg": lines(
      cases,
      byBatch.map((row) => ({ case: label(row), x: row.batch, y: row.tokensPerSecond })),
      { x: "sequences in the batch →", y: `↑ tokens/s at ${integerText(most("context"))} tokens of context` },
      drawing,
    ),
    "context.svg": lines(
      cases,
      byContext.map((row) => ({ case: label(row), x: row.context, y: row.msPerStep })),
      { x: "tokens of context →", y: `↑ ms per step of ${most("batch")} sequences` },
      drawing,
    ),
    "memory.svg": lines(
      cases,
      throughput.map((row) => ({ case: label(row), x: row.kvMemory / 1e6, y: row.tokensPerSecond })),
      { x: "MB of cache →", y: "↑ tokens/s, requests served from beginning to end" },
      drawing,
    ),
  };
  return Object.fromEntries(
    Object.entries(charts).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

function bars(points: readonly Point[], title: string, drawing: DrawingOptions): string {
  const left = 12 + 7.2 * Math.max(...points.map((point) => point.case.length));
  return draw(
    {
      width: drawing.width ?? 720,
      height: 60 + 30 * points.length,
      marginLeft: left,
      marginRight: 70,
      marginBottom: 40,
      x: { label: title, tickFormat: countText, ticks: 5, grid: true },
      y: { label: null, domain: points.map((point) => point.case) },
      marks: [
        Plot.barX(points, {
          x: "x",
          y: "case",
          fill: (_: Point, i: number) => caseColor(i),
          insetTop: 3,
          insetBottom: 3,
        }),
        Plot.text(points, { x: "x", y: "case", text: ({ x }: Point) => integerText(x), textAnchor: "start", dx: 6 }),
      ],
    },
    title,
    drawing,
  );
}

/** A line per case over a logarithmic axis; undefined where there is nothing to connect. */
function lines(
  cases: readonly string[],
  points: readonly Point[],
  titles: { x: string; y: string },
  drawing: DrawingOptions,
): string | undefined {
  const ticks = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b);
  if (ticks.length < 2) return undefined;
  const color = (name: string) => caseColor(cases.indexOf(name));
  const last = cases.flatMap((name) => points.filter((point) => point.case === name && point.x === ticks.at(-1)));
  return draw(
    {
      width: drawing.width ?? 720,
      height: 420,
      marginLeft: 60,
      marginRight: 20 + 7.2 * Math.max(...cases.map((name) => name.length)),
      marginTop: 30,
      marginBottom: 40,
      x: { type: "log", label: titles.x, ticks, tickFormat: integerText },
      y: { label: titles.y, zero: true, grid: true, tickFormat: countText },
      marks: [
        Plot.line(points, { x: "x", y: "y", z: "case", stroke: (point: Point) => color(point.case), strokeWidth: 2 }),
        Plot.dot(points, { x: "x", y: "y", fill: (point: Point) => color(point.case), r: 3.5 }),
        Plot.text(spread(last), {
          ...{ x: "x", y: "at", text: "case", textAnchor: "start", dx: 8 },
          fill: (point: Point) => color(point.case),
        }),
      ],
    },
    `${titles.y.slice(2)} by ${titles.x.slice(0, -2)}`,
    drawing,
  );
}

/** Points with places for their labels, at least a twentieth of the highest apart. */
function spread(points: readonly Point[]): (Point & { at: number })[] {
  const gap = Math.max(...points.map(({ y }) => y)) / 22;
  let floor = Number.NEGATIVE_INFINITY;
  return points
    .toSorted((a, b) => a.y - b.y)
    .map((point) => {
      const at = Math.max(point.y, floor);
      floor = at + gap;
      return { ...point, at };
    });
}
