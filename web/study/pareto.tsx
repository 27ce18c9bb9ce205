// Cache size against perplexity, a point per model: the front as a staircase, one standard error either way. A point
// can be chosen by a click; the same by keyboard is the buttons below the chart.

import * as Plot from "@observablehq/plot";
import { useCallback } from "preact/hooks";
import { ends } from "../../src/charts/axis.ts";
import { boxesAlong, distance, placeLabels } from "../../src/charts/label-placement.ts";
import { ownColor, sharedColor } from "../../src/charts/palette.ts";
import { bytesText, countText, estimateText } from "../../src/charts/quantity.ts";
import { tradeOffPlace, tradeOffPlot } from "../../src/charts/trade-off-plot.ts";
import type { StudyReply } from "../../src/server/page-api.ts";
import { paretoFront, staircase, type TradeOff } from "../../src/study/numbers/pareto.ts";
import { Chart } from "../parts/chart.tsx";

/** A model of a study. */
export type Row = StudyReply["summary"][number];

const height = 380;

/** Pixels from a chosen point to the ring around it, and to what keeps off the ring. */
const ringRadius = 11;
const clearRadius = 16;

const margin = { marginLeft: 48, marginRight: 16, marginTop: 16, marginBottom: 44 };

/** The chart. */
export function ParetoChart(props: {
  rows: readonly Row[];
  colors: ReadonlyMap<string, string>;
  chosen: string;
  onChoose: (name: string) => void;
}) {
  const { rows, colors, chosen, onChoose } = props;
  const draw = useCallback(
    (width: number): Plot.PlotOptions => {
      const shown = rows.filter(({ perplexity }) => Number.isFinite(perplexity.mean));
      const point = { x: tradeOffPlace(shown), y: ({ perplexity }: Row) => perplexity.mean };
      const stairs = staircase(frontOf(shown));
      const color = ({ name }: Row) => colors.get(name) ?? "currentColor";
      const plot = tradeOffPlot(shown, stairs, {
        ...{ color, fractionBeside: 0.12, fractionAbove: 0.14, stairsOpacity: 0.4 },
      });
      return {
        ...margin,
        ...plot,
        marks: [
          ...plot.marks,
          Plot.axisX({ ticks: [], label: "KV cache, bytes per token →", labelOffset: 40 }),
          Plot.dot(shown, {
            ...{ ...point, r: 6, strokeWidth: 2, stroke: color },
            fill: (row: Row) => (row.onFront ? color(row) : "var(--surface)"),
          }),
          Plot.dot(
            shown.filter(({ name }) => name === chosen),
            { ...point, r: ringRadius, stroke: "currentColor", strokeWidth: 1.5 },
          ),
          names(shown, stairs, width),
          Plot.tip(
            shown,
            Plot.pointer({
              ...point,
              title: ({ name, perplexity, kvBytesPerToken, parameters }: Row) =>
                `${name}\nperplexity ${estimateText(perplexity)}\n${bytesText(kvBytesPerToken)} per token\n${countText(parameters.nonEmbedding)} parameters`,
            }),
          ),
        ],
      };
    },
    [rows, colors, chosen],
  );
  const choose = useCallback((value: unknown) => value && onChoose((value as Row).name), [onChoose]);
  return (
    <figure class="card">
      <figcaption>
        <h2>Cache against perplexity</h2>
        <p class="note">
          Held-out perplexity, ± one standard error over seeds. Lower and further left is better; models of the same
          bytes stand side by side.
        </p>
        <ul class="legend">
          <li>
            <i class="swatch dot" style={{ background: ownColor }} />
            every layer keeps its own
          </li>
          <li>
            <i class="swatch dot" style={{ background: sharedColor }} />
            layers share
          </li>
          <li>
            <i class="swatch dot hollow" />
            another is as small and as good
          </li>
        </ul>
      </figcaption>
      <Chart
        draw={draw}
        height={height}
        onSelect={choose}
        label={`Held-out perplexity against KV cache bytes per token of ${rows.length} models; the table below has the numbers`}
      />
      <fieldset class="chips">
        <legend class="hidden-text">Models: choose one for its details</legend>
        {rows.map(({ name }) => (
          <button key={name} type="button" aria-pressed={name === chosen} onClick={() => onChoose(name)}>
            {name}
          </button>
        ))}
      </fieldset>
    </figure>
  );
}

function frontOf(rows: readonly Row[]): TradeOff[] {
  return paretoFront(
    rows.map(({ kvBytesPerToken, perplexity }) => ({ bytes: kvBytesPerToken, loss: perplexity.mean })),
  );
}

// The points' names, where they cover neither points nor one another.
function names(rows: readonly Row[], stairs: readonly TradeOff[], width: number): Plot.Markish {
  return (_index, scales, _values, _dimensions, { document }) => {
    const { x, y } = scales as unknown as { x(value: number): number; y(value: number): number };
    const size = width < 500 ? 11 : 12;
    const place = tradeOffPlace(rows);
    const points = rows.map((row) => ({
      ...{ x: x(place(row)), y: y(row.perplexity.mean) },
      ...{ width: row.name.length * size * 0.64, height: size + 3 },
    }));
    const frame = {
      x: margin.marginLeft,
      y: margin.marginTop,
      width: width - margin.marginLeft - margin.marginRight,
      height: height - margin.marginTop - margin.marginBottom,
    };
    const bars = rows.flatMap((row) =>
      boxesAlong(ends(row.perplexity).map((end) => ({ x: x(place(row)), y: y(end) }))),
    );
    const line = boxesAlong(stairs.map(({ bytes, loss }) => ({ x: x(bytes), y: y(loss) })));
    const boxes = placeLabels(points, { frame, hard: bars, soft: line, radius: clearRadius });
    const add = (parent: Element, name: string, attributes: Readonly<Record<string, string | number>>) => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
      parent.append(element);
      return element;
    };
    const group = document.createElementNS("http://www.w3.org/2000/svg", "g");
    for (const [i, box] of boxes.entries()) {
      const point = points[i] as { x: number; y: number };
      const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
      if (distance(point, box) > clearRadius + 6) {
        const x2 = Math.min(Math.max(point.x, box.x), box.x + box.width);
        add(group, "line", { x1: point.x, y1: point.y, x2, y2: middle.y, stroke: "currentColor", opacity: 0.45 });
      }
      const anchor = box.x >= point.x ? "start" : box.x + box.width <= point.x ? "end" : "middle";
      const at = { start: box.x, end: box.x + box.width, middle: middle.x }[anchor];
      const text = { x: at, y: middle.y, dy: "0.35em", "text-anchor": anchor, "font-size": size, class: "point-name" };
      add(group, "text", text).textContent = rows[i]?.name ?? "";
    }
    return group as SVGElement;
  };
}
