// A study of conversion as a picture: held-out loss by tokens of uptraining, from what each conversion begins with.

import * as Plot from "@observablehq/plot";
import { endLabels, endRoom, fontSize, layout, titles } from "../../charts/annotation.ts";
import { draw, overlay } from "../../charts/drawing.ts";
import { type DrawingOptions, isNarrow } from "../../charts/drawing-options.ts";
import { modelColors } from "../../charts/palette.ts";
import { countText } from "../../charts/quantity.ts";
import type { ConversionResult } from "./conversion-study.ts";

/**
 * Lines of one sharing's conversions, distilled ones dashed, and of the teacher trained on; teacher and the model from
 * scratch as levels.
 */
export function conversionChart(
  results: readonly ConversionResult[],
  sharing: string,
  drawing: DrawingOptions = {},
): string {
  const own = results.filter((result) => result.kind === "converted" && result.sharing === sharing);
  const continued = results.filter(({ kind }) => kind === "continued");
  const others = results.filter(
    ({ kind, sharing: of }) => kind === "teacher" || (kind === "scratch" && of === sharing),
  );
  const nameOf = ({ kind, init }: ConversionResult) =>
    ({ teacher: "teacher", continued: "teacher on", scratch: "from scratch", converted: String(init) })[kind];
  const colors = modelColors([...others, ...continued, ...own].map((result) => ({ ...result, name: nameOf(result) })));
  const colorOf = (result: ConversionResult) => colors.get(nameOf(result)) as string;
  const lines = [...continued, ...own].map((result) => ({
    name: `${nameOf(result)}${result.isDistilled ? ", distilled" : ""}`,
    color: colorOf(result),
    isDashed: result.isDistilled === true,
    points: result.curve,
  }));
  const most = Math.max(...own.map(({ tokens }) => tokens));
  const levels = others.map((result) => ({
    ...{ name: nameOf(result), color: colorOf(result), isDashed: false },
    points: [0, most].map((tokens) => ({ tokens, loss: result.curve.at(-1)?.loss ?? result.after })),
  }));
  const all = [...levels, ...lines];
  const { size, frame } = layout(drawing, { ...endRoom(all, drawing), height: 420 });
  return draw(
    {
      ...size,
      x: { domain: [0, most], label: null },
      y: { label: null },
      marks: [
        Plot.gridY({ strokeOpacity: 0.12 }),
        Plot.axisX({ ticks: isNarrow(drawing) ? 3 : 6, tickFormat: countText, tickSize: 4, fontSize }),
        Plot.axisY({ ticks: 6, tickSize: 0, fontSize }),
        ...all.map(({ points, color, isDashed }) =>
          Plot.line(points, {
            ...{ x: "tokens", y: "loss", stroke: color, strokeWidth: 1.75 },
            ...(isDashed ? { strokeDasharray: "5 4" } : {}),
          }),
        ),
        overlay(({ x, y }) =>
          endLabels(
            all.map(({ name, color, points }) => {
              const last = points.at(-1) as { tokens: number; loss: number };
              return { x: x(last.tokens), y: y(last.loss), name, color };
            }),
            frame,
            drawing,
          ),
        ),
        titles(size, "↑ held-out loss, nats per token", "tokens of uptraining →", drawing),
      ],
    },
    `Held-out loss by tokens of uptraining of ${own.length} conversions to ${sharing}`,
    drawing,
  );
}
