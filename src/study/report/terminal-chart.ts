// A summary as a scatter of characters: bytes on a logarithmic axis against perplexity. Plain text, 72 columns.

import { bytesText } from "../../charts/quantity.ts";
import { reportedText } from "../numbers/result.ts";
import type { SummaryRow } from "../numbers/summary.ts";

const width = 72;
const margin = 9; // the perplexity axis
const plotWidth = width - margin;
const height = 17;

/** Models as ● (on the front) and ○, with their names where there is room and in a list below where not. */
export function terminalChart(summary: readonly SummaryRow[]): string {
  const rows = summary.filter(({ perplexity }) => Number.isFinite(perplexity.mean));
  if (rows.length === 0) return "No model has a finite perplexity to draw.";
  const [x, y] = [
    axis(
      rows.map((row) => Math.log2(row.kvBytesPerToken)),
      plotWidth,
      0.5,
    ),
    axis(
      rows.map((row) => row.perplexity.mean),
      height,
      0.1,
    ),
  ];
  const canvas = Array.from({ length: height }, () => new Array<string>(plotWidth).fill(" "));
  const places = rows.map((row) => ({
    row,
    column: x.at(Math.log2(row.kvBytesPerToken)),
    line: height - 1 - y.at(row.perplexity.mean),
  }));
  for (const { row, column, line } of places.toSorted((a, b) => Number(a.row.onFront) - Number(b.row.onFront))) {
    (canvas[line] as string[])[column] = row.onFront ? "●" : "○";
  }
  const unnamed = places.filter(({ row, column, line }) => !writeName(canvas, row.name, column, line));

  const ticks = [...Array(height).keys()].map((line) => {
    const shown = line % 4 === 0;
    return `${(shown ? y.value(height - 1 - line).toFixed(2) : "").padStart(margin - 2)} ${shown ? "┤" : "│"}`;
  });
  const drawn = canvas.map((line, i) => `${ticks[i]}${line.join("")}`.trimEnd());
  const [rule, labels] = byteAxis(rows, x.at);
  return [
    `${reportedText(rows.flatMap(({ runs }) => runs))} perplexity`.padStart(margin + 1),
    ...drawn,
    rule,
    labels,
    `${"".padStart(margin)}KV cache, bytes per token (float32, log scale)`,
    `${"".padStart(margin)}● on the front   ○ another model is as small and as good`,
    ...unnamed.map(({ row }) => {
      const place = `${bytesText(row.kvBytesPerToken)}, perplexity ${row.perplexity.mean.toFixed(2)}`;
      return `${"".padStart(margin)}${row.onFront ? "●" : "○"} ${row.name}: ${place}`;
    }),
  ].join("\n");
}

interface Axis {
  at(value: number): number;
  value(cell: number): number;
}

// Cells 1 … cells − 2 hold the values; `least` is the smallest range that fills them.
function axis(values: readonly number[], cells: number, least: number): Axis {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const range = Math.max(high - low, least);
  const start = (low + high - range) / 2;
  return {
    at: (value) => 1 + Math.round(((value - start) / range) * (cells - 3)),
    value: (cell) => start + ((cell - 1) / (cells - 3)) * range,
  };
}

function writeName(canvas: string[][], name: string, column: number, line: number): boolean {
  const tries = [
    [line, column + 2],
    [line, column - 1 - name.length],
  ] as const;
  for (const [at, start] of tries) {
    const cells = canvas[at];
    if (!cells || start < 0 || start + name.length > plotWidth) continue;
    // A blank on either side keeps a name apart from others, and from points it does not name.
    const around = cells.slice(Math.max(0, start - 1), start + name.length + 1);
    if (around.some((cell) => cell !== " ")) continue;
    for (const [i, letter] of [...name].entries()) cells[start + i] = letter;
    return true;
  }
  return false;
}

function byteAxis(rows: readonly SummaryRow[], at: (value: number) => number): [rule: string, labels: string] {
  const rule = new Array<string>(plotWidth).fill("─");
  let labels = "";
  const sizes = [...new Set(rows.map(({ kvBytesPerToken }) => kvBytesPerToken))].sort((a, b) => a - b);
  for (const size of sizes) {
    const column = at(Math.log2(size));
    const label = bytesText(size);
    const start = Math.min(Math.max(0, column - Math.floor(label.length / 2)), plotWidth - label.length);
    if (labels !== "" && start < labels.length + 2) continue;
    rule[column] = "┴";
    labels = labels.padEnd(start) + label;
  }
  return [`${"".padStart(margin - 1)}└${rule.join("")}`, `${"".padStart(margin)}${labels}`];
}
