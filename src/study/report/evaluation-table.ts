// What models scored on tasks and probes, as tables for the terminal, Markdown and the report. All show the same cells.

import Table from "cli-table3";
import { type Align, markdownOf } from "../../charts/markdown.ts";
import { escaped, section } from "../../charts/markup.ts";
import { estimateText, integerText } from "../../charts/quantity.ts";
import { estimate } from "../../tensor/estimate.ts";
import { checkSameItems, taskEstimates } from "../numbers/evaluations.ts";
import type { SummaryRow } from "../numbers/summary.ts";

/** Heads and rows of text. */
interface Cells {
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A row per metric of each task, a column per model; undefined where no model has scores. @throws as `checkSameItems`. */
function taskCells(summary: readonly SummaryRow[]): Cells | undefined {
  const scores = summary.map(({ runs }) => taskEstimates(runs));
  checkSameItems(summary.flatMap(({ runs }) => runs));
  const metrics = [...new Set(scores.flatMap((found) => found.map(({ metric }) => metric)))];
  if (metrics.length === 0) return undefined;
  const rows = metrics.map((metric) => [
    metric,
    ...scores.map((found) => {
      const one = found.find((estimate) => estimate.metric === metric);
      return one ? estimateText(one.score, 4) : "";
    }),
  ]);
  return { heads: ["task", ...summary.map(({ name }) => name)], rows };
}

/** The same of probes: losses in nats, means over seeds. */
function probeCells(summary: readonly SummaryRow[]): Cells | undefined {
  const labels = new Map<string, string[]>();
  for (const [i, { runs }] of summary.entries()) {
    const found = new Map<string, number[]>();
    const add = (label: string, value: number) => found.set(label, [...(found.get(label) ?? []), value]);
    for (const { context, position, copying, retrieval } of runs.flatMap(({ probes }) => probes ?? [])) {
      const at = `context ${integerText(context)}`;
      for (const { from, to, loss } of position ?? []) {
        add(`${at}: loss at ${integerText(from)}${to - from > 1 ? ` to ${integerText(to - 1)}` : ""}`, loss.value);
      }
      if (copying) {
        add(`${at}: loss on pairs seen before`, copying.repeated.value);
        add(`${at}: loss on other tokens`, copying.others.value);
      }
      for (const { distance, loss, control } of retrieval ?? []) {
        add(`${at}: gain from a pair ${integerText(distance)} tokens back`, control.value - loss.value);
      }
    }
    for (const [label, values] of found) {
      const row = labels.get(label) ?? summary.map(() => "");
      row[i] = estimateText(estimate(values), 3);
      labels.set(label, row);
    }
  }
  if (labels.size === 0) return undefined;
  return {
    heads: ["probe (nats)", ...summary.map(({ name }) => name)],
    rows: [...labels].map(([label, row]) => [label, ...row]),
  };
}

const alignsOf = (heads: readonly string[]) => heads.map((_, i): Align => (i === 0 ? "left" : "right"));

const note = "± is one standard error: over seeds, of a single run over the task's items.";

/** Both tables, as far as there are any, for a terminal. */
export function evaluationsText(summary: readonly SummaryRow[]): string {
  return tables(summary)
    .map(({ heads, rows }) => {
      const table = new Table({
        head: [...heads],
        colAligns: alignsOf(heads),
        chars: Object.fromEntries(edges.map((edge) => [edge, edge === "middle" ? "  " : ""])),
        style: { head: [], border: [], compact: true, "padding-left": 0, "padding-right": 0 },
      });
      table.push(...rows.map((row) => [...row]));
      return table.toString();
    })
    .join("\n\n");
}

const edges = ["top", "bottom", "left", "right", "mid"].flatMap((side) => {
  return [side, `${side}-mid`, `${side}-left`, `${side}-right`];
});
edges.push("middle");

/** Both tables in Markdown. */
export function evaluationsMarkdown(summary: readonly SummaryRow[]): string {
  return tables(summary)
    .map(({ heads, rows }) => markdownOf(heads, rows, alignsOf(heads)))
    .join("\n\n");
}

/** The report's sections; "" where nothing was asked. */
export function evaluationSections(summary: readonly SummaryRow[]): string {
  const [tasks, probes] = [taskCells(summary), probeCells(summary)];
  return [
    tasks ? section("Tasks", [html(tasks), `<p class="note">${note}</p>`]) : "",
    probes ? section("What models make of their context", [html(probes)]) : "",
  ].join("");
}

function tables(summary: readonly SummaryRow[]): Cells[] {
  return [taskCells(summary), probeCells(summary)].filter((cells) => cells !== undefined);
}

function html({ heads, rows }: Cells): string {
  const head = heads.map((name) => `<th scope="col">${escaped(name)}</th>`).join("");
  const body = rows.map((row) => `<tr>${row.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>`).join("");
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}
