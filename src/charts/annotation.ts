// A chart's layout and what is written around its marks: titles, legend, leader lines, labels at the ends of lines. All
// in pixels.

import { overlay, type Shape, textAt, textWidth } from "./drawing.ts";
import { type DrawingOptions, isNarrow, paper } from "./drawing-options.ts";
import { type Box, distance, spread } from "./label-placement.ts";

/** Size of text on charts, in pixels. */
export const fontSize = 12;

const usualWidth = 720;

const faint = { "fill-opacity": 0.7 };

/** A kind of mark and what it means. */
export type LegendEntry = readonly [text: string, color: string, filled: boolean];

/** Entries in rows from `left` on as wide as the drawing, the middle of the first at `y`, rows `legendRow` apart. */
export function legend(entries: readonly LegendEntry[], left: number, y: number, drawing: DrawingOptions): Shape[] {
  return placed(entries, left, drawing).flatMap(({ entry: [text, color, filled], x, row }): Shape[] => {
    const level = y + row * legendRow;
    return [dot(x + 5, level, color, filled, drawing), textAt(x + 16, level, text, drawing)];
  });
}

/** Pixels that the rows of a legend after its first take. */
export function moreLegend(entries: readonly LegendEntry[], left: number, drawing: DrawingOptions): number {
  return (placed(entries, left, drawing).at(-1)?.row ?? 0) * legendRow;
}

const legendRow = 20;

function placed(entries: readonly LegendEntry[], left: number, { width = usualWidth }: DrawingOptions) {
  let [x, row] = [left, 0];
  return entries.map((entry) => {
    const long = 30 + textWidth(entry[0], fontSize);
    if (x > left && x + long - 14 > width) [x, row] = [left, row + 1];
    const place = { entry, x, row };
    x += long;
    return place;
  });
}

/** A round mark, filled or hollow. */
export function dot(cx: number, cy: number, color: string, filled: boolean, drawing: DrawingOptions): Shape {
  return ["circle", { cx, cy, r: 5, fill: filled ? color : paper(drawing), stroke: color, "stroke-width": 2 }];
}

/** A thin line from a point to its label, if that is not right beside it. */
export function leader(point: { x: number; y: number }, box: Box): Shape[] {
  const x = Math.min(Math.max(point.x, box.x), box.x + box.width);
  const y = Math.min(Math.max(point.y, box.y), box.y + box.height);
  if (distance(point, box) < 16) return [];
  return [line(point.x, point.y, x, y, "currentColor")];
}

/** A name in the box that was found for it, beginning or ending at the side of its point, whose x is `at`. */
export function nameIn({ x, y, width, height }: Box, at: number, name: string, drawing: DrawingOptions): Shape {
  const anchor = x >= at ? "start" : x + width <= at ? "end" : "middle";
  const from = { start: x, end: x + width, middle: x + width / 2 }[anchor];
  return textAt(from, y + height / 2, name, drawing, { "text-anchor": anchor });
}

/** The end of a model's line, and its name. */
export interface LineEnd {
  readonly x: number;
  readonly y: number;
  readonly name: string;
  readonly color: string;
}

/**
 * Names right of the frame, level with their lines' ends as far as they do not meet, and leaders to them; a legend above
 * the frame where the drawing is narrow.
 */
export function endLabels(lines: readonly LineEnd[], frame: Box, drawing: DrawingOptions): Shape[] {
  if (isNarrow(drawing)) return legend(lines.map(entryOf), 14, 18, drawing);
  const levels = spread(
    lines.map(({ y }) => y),
    16,
    frame.y,
    frame.y + frame.height,
  );
  const right = frame.x + frame.width;
  return lines.flatMap(({ x, y, name, color }, i): Shape[] => {
    const level = levels[i] as number;
    return [
      line(x, y, right + 4, y, color),
      line(right + 4, y, right + 18, level, color),
      textAt(right + 22, level, name, drawing),
    ];
  });
}

/** Room for the names of lines (see `endLabels`), and height for all of them. */
export function endRoom(lines: readonly { readonly name: string; readonly color: string }[], drawing: DrawingOptions) {
  if (isNarrow(drawing)) {
    const marginTop = 60 + moreLegend(lines.map(entryOf), 14, drawing);
    return { marginTop, height: 280 + marginTop };
  }
  return {
    marginRight: 34 + Math.max(0, ...lines.map(({ name }) => textWidth(name, fontSize))),
    height: Math.max(360, 16 * lines.length + 96),
  };
}

const entryOf = ({ name, color }: { name: string; color: string }): LegendEntry => [name, color, true];

/** A chart's size and margins. */
export type Size = ReturnType<typeof layout>["size"];

/** A chart's size, and the frame within its margins; `above` is y's title, which may take several lines. */
export function layout(
  { width = usualWidth }: DrawingOptions,
  sizes: { height?: number; marginTop?: number; marginRight?: number },
  above = "",
) {
  const asked = { width, height: 360, marginLeft: 56, marginRight: 16, marginTop: 40, marginBottom: 52, ...sizes };
  const more = titleRow * (titleLines(above, width).length - 1);
  const size = { ...asked, height: asked.height + more, marginTop: asked.marginTop + more };
  const frame = {
    x: size.marginLeft,
    y: size.marginTop,
    width: width - size.marginLeft - size.marginRight,
    height: size.height - size.marginTop - size.marginBottom,
  };
  return { size, frame };
}

/** Titles of the axes: y's above the frame, x's below its right end. */
export function titles({ width, height, marginTop, marginRight }: Size, y: string, x: string, drawing: DrawingOptions) {
  const end = { ...faint, "text-anchor": "end" };
  return overlay(() => [
    ...titleLines(y, width).map((text, i, { length }) =>
      textAt(14, marginTop - 18 - titleRow * (length - 1 - i), text, drawing, faint),
    ),
    textAt(width - marginRight, height - 14, x, drawing, end),
  ]);
}

const titleRow = 16;

/** A title in lines that fit. */
function titleLines(title: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of title.split(" ")) {
    const longer = [...lines.slice(-1), word].join(" ");
    if (lines.length > 0 && textWidth(longer, fontSize) <= width - 20) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

function line(x1: number, y1: number, x2: number, y2: number, stroke: string): Shape {
  return ["line", { x1, y1, x2, y2, stroke, "stroke-opacity": 0.45 }];
}
