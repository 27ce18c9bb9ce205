// A summary as a table, for the terminal and for Markdown. Both show the same cells.

import Table from "cli-table3";
import { type Align, markdownOf } from "../../charts/markdown.ts";
import { countText, estimateText, integerText, rateText } from "../../charts/quantity.ts";
import type { SummaryRow } from "../numbers/summary.ts";

/** The columns' heads, in order; the first is text, the others numbers. */
export const heads = ["model", "KV B/token", "params", "LR", "seeds", "perplexity", "bits/byte", "front"] as const;

const aligns = heads.map((_, i): Align => (i === 0 ? "left" : i === heads.length - 1 ? "center" : "right"));

/** A summary's cells in the order of `heads`. `params` leaves the embedding out; bytes are float32. */
export function cells(summary: readonly SummaryRow[]): string[][] {
  return summary.map((row) => [
    row.name,
    integerText(row.kvBytesPerToken),
    countText(row.parameters.nonEmbedding),
    rateText(row.learningRate),
    String(row.seeds.length),
    estimateText(row.perplexity, 2),
    estimateText({ ...row.bitsPerByte, standardError: undefined }, 4),
    row.onFront ? "●" : "",
  ]);
}

// Only a rule under the heads, so that usual names fit 80 columns.
const sides = ["top", "bottom", "left", "right"] as const;
const borderless = Object.fromEntries(
  sides.flatMap((side) => [side, `${side}-mid`, `${side}-left`, `${side}-right`]).map((name) => [name, ""]),
);

/** A table of plain text; ● marks models that no other beats in both bytes and perplexity. */
export function terminalTable(summary: readonly SummaryRow[]): string {
  const table = new Table({
    head: [...heads],
    colAligns: [...aligns],
    chars: { ...borderless, middle: "  ", mid: "─", "mid-mid": "──" },
    style: { head: [], border: [], compact: true, "padding-left": 0, "padding-right": 0 },
  });
  table.push(...cells(summary));
  return table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

/** A Markdown table of the same cells. */
export function markdownTable(summary: readonly SummaryRow[]): string {
  return markdownOf(heads, cells(summary), aligns);
}
