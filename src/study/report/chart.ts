// The three pictures of a study: cache against perplexity, loss against learning rate, loss against steps. Each is a
// self-contained SVG; where a value is not finite (a run that diverged) nothing is drawn.

import {
  dot,
  endLabels,
  endRoom,
  fontSize,
  type LegendEntry,
  layout,
  leader,
  legend,
  moreLegend,
  nameIn,
  titles,
} from "../../charts/annotation.ts";
import { ends } from "../../charts/axis.ts";
import { draw, overlay, type Shape, textWidth } from "../../charts/drawing.ts";
import { type DrawingOptions, isNarrow } from "../../charts/drawing-options.ts";
import { type Box, boxesAlong, placeLabels } from "../../charts/label-placement.ts";
import { lossPlot } from "../../charts/loss-plot.ts";
import { modelColors, ownColor, sharedColor } from "../../charts/palette.ts";
import { type RatePoint, ratePlot } from "../../charts/rate-plot.ts";
import { tradeOffPlace, tradeOffPlot } from "../../charts/trade-off-plot.ts";
import { mean } from "../../tensor/estimate.ts";
import { paretoFront, staircase } from "../numbers/pareto.ts";
import { type Result, reportedText } from "../numbers/result.ts";
import { learningRateSweep, type SummaryRow } from "../numbers/summary.ts";
import { parabolaBest, type RateLoss } from "../trials/rate-search.ts";

/** Models' colours by their names; a drawing that stands alone has its own. */
type ModelColors = ReadonlyMap<string, string>;

/** Bytes per token (log₂) against perplexity, with error bars of one standard error and the front as a staircase. */
export function paretoChart(
  summary: readonly SummaryRow[],
  drawing: DrawingOptions = {},
  colors: ModelColors = modelColors(summary),
): string {
  const color = ({ name }: SummaryRow) => colors.get(name) as string;
  const entries: LegendEntry[] = [
    ["every layer keeps its own KV", ownColor, true],
    ["layers share KV", sharedColor, true],
    ["another model is as small and as good", "currentColor", false],
  ];
  const marginTop = 60 + moreLegend(entries, 14, drawing);
  const { size, frame } = layout(drawing, { height: 380 + marginTop, marginTop });
  const rows = summary.filter(({ perplexity }) => Number.isFinite(perplexity.mean));
  const front = paretoFront(rows.map((row) => ({ bytes: row.kvBytesPerToken, loss: row.perplexity.mean })));
  const stairs = staircase(front);
  const plot = tradeOffPlot(rows, stairs, {
    ...{ color, fractionBeside: 0.1, fractionAbove: 0.12 },
    ...{ stairsOpacity: 0.35, fontSize },
  });
  const place = tradeOffPlace(rows);
  const text = reportedText(rows.flatMap(({ runs }) => runs));
  const spreads = rows.some(({ perplexity }) => perplexity.standardError !== undefined);
  const named = overlay(({ x, y }) => {
    const points = rows.map((row) => ({
      ...{ x: x(place(row)), y: y(row.perplexity.mean) },
      ...{ width: textWidth(row.name, fontSize), height: 15 },
    }));
    const bars = rows.flatMap((row) =>
      boxesAlong(ends(row.perplexity).map((end) => ({ x: x(place(row)), y: y(end) }))),
    );
    const line = boxesAlong(stairs.map(({ bytes, loss }) => ({ x: x(bytes), y: y(loss) })));
    const boxes = placeLabels(points, { frame, hard: bars, soft: line });
    const leaders = points.flatMap((point, i) => leader(point, boxes[i] as Box));
    const names = rows.flatMap((row, i): Shape[] => {
      const [point, box] = [points[i] as Box, boxes[i] as Box];
      return [dot(point.x, point.y, color(row), row.onFront, drawing), nameIn(box, point.x, row.name, drawing)];
    });
    return [...leaders, ...names];
  });
  return draw(
    {
      ...size,
      ...plot,
      marks: [
        ...plot.marks,
        named,
        overlay(() => legend(entries, 14, 18, drawing)),
        titles(
          size,
          `↑ ${text} perplexity${spreads ? " ± standard error" : ""}`,
          "KV cache, bytes per token (float32) →",
          drawing,
        ),
      ],
    },
    `${text === "test" ? "Test" : "Validation"} perplexity against KV cache bytes per token of ${rows.length} models`,
    drawing,
  );
}

/**
 * Mean validation loss (nats per token) at every learning rate that was tried, a line per model. Filled is the rate that
 * was chosen: where it lies between those that were tried, on the parabola that chose it.
 */
export function learningRateChart(
  results: readonly Result[],
  summary: readonly SummaryRow[],
  drawing: DrawingOptions = {},
  colors: ModelColors = modelColors(results),
): string {
  const points = learningRateSweep(results).filter(({ loss }) => Number.isFinite(loss.mean));
  const lines = summary.map((row) => ({
    ...{ name: row.name, color: colors.get(row.name) as string, best: row.learningRate },
    points: points.filter(({ name }) => name === row.name),
  }));
  const title = "↑ validation loss, nats per token; filled: the rate that was chosen";
  const { size, frame } = layout(drawing, endRoom(lines, drawing), title);
  const plot = ratePlot(lines, {
    ...{ fractionBeside: 0.04, fractionAbove: 0.06, lossTicks: 6 },
    ...{ frameWidth: frame.width, fontSize },
  });
  return draw(
    {
      ...size,
      ...plot,
      marks: [
        ...plot.marks,
        overlay(({ x, y }) => [
          ...endLabels(
            lines.flatMap(({ points, name, color }) => {
              const last = points.at(-1);
              return last ? [{ x: x(last.rate), y: y(last.loss.mean), name, color }] : [];
            }),
            frame,
            drawing,
          ),
          ...lines.flatMap(({ points, color, best }) =>
            marked(points, best).map(({ rate, loss }) => dot(x(rate), y(loss), color, rate === best, drawing)),
          ),
        ]),
        titles(size, title, "peak learning rate →", drawing),
      ],
    },
    `Validation loss against learning rate of ${lines.length} models`,
    drawing,
  );
}

/** The points that were tried, and the chosen one if it is none of them. */
function marked(points: readonly RatePoint[], best: number): RateLoss[] {
  const tried = points.map(({ rate, loss }) => ({ rate, loss: loss.mean }));
  if (tried.length === 0 || tried.some(({ rate }) => rate === best)) return tried;
  const chosen = parabolaBest(tried);
  return chosen.rate === best ? [...tried, chosen] : tried;
}

/**
 * Mean loss (nats per token) by step of each model's runs at its best learning rate: validation loss where it was
 * taken along the way, else training loss. The first quarter of the steps is left out, for it dwarfs all differences.
 */
export function lossChart(
  summary: readonly SummaryRow[],
  drawing: DrawingOptions = {},
  colors: ModelColors = modelColors(summary),
): string {
  const validated = summary.every(({ runs }) => runs.every(({ curve }) => curve.filter(isValidated).length > 1));
  const start = Math.max(0, ...summary.flatMap(({ runs }) => runs.map(({ steps }) => steps))) / 4;
  const lines = summary.map(({ name, runs }) => {
    const seen = runs.flatMap(({ curve }) =>
      curve.flatMap(({ step, loss, validation }) => ({ step, loss: validated ? (validation ?? Number.NaN) : loss })),
    );
    const late = seen.filter(({ step, loss }) => step >= start && Number.isFinite(loss));
    const steps = [...new Set(late.map(({ step }) => step))].sort((a, b) => a - b);
    const meanAt = (step: number) => mean(late.filter((point) => point.step === step).map(({ loss }) => loss));
    const color = colors.get(name) as string;
    return { name, color, points: steps.map((step) => ({ step, loss: meanAt(step) })) };
  });
  const title = `↑ ${validated ? "validation" : "training"} loss, nats per token, after the first quarter of the steps`;
  const { size, frame } = layout(drawing, endRoom(lines, drawing), title);
  const plot = lossPlot(lines, { ticks: { steps: isNarrow(drawing) ? 4 : 6, losses: 6 }, lineWidth: 1.75, fontSize });
  return draw(
    {
      ...size,
      ...plot,
      marks: [
        ...plot.marks,
        overlay(({ x, y }) => {
          const last = lines.flatMap(({ points, name, color }) =>
            points.slice(-1).map(({ step, loss }) => ({ x: x(step), y: y(loss), name, color })),
          );
          return endLabels(last, frame, drawing);
        }),
        titles(size, title, "steps →", drawing),
      ],
    },
    `Loss by training step of ${lines.length} models`,
    drawing,
  );
}

const isValidated = ({ validation }: { validation?: number | undefined }) => validation !== undefined;
