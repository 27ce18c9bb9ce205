// What a study of conversion leaves for people: a page, pictures, a table, and the results as lines of JSON.

import { cpus } from "node:os";
import { join } from "node:path";
import type { DrawingOptions } from "../../charts/drawing-options.ts";
import { escaped, facts, figures, json, list, section } from "../../charts/markup.ts";
import { durationText } from "../../charts/quantity.ts";
import { sharingSvg } from "../../charts/sharing-picture.ts";
import { writeAtomic } from "../../files/atomic-file.ts";
import { makeDirectory } from "../../files/directory.ts";
import { jsonLines } from "../../files/json-lines.ts";
import { sharingName } from "../../model/sharing.ts";
import { reportStyle } from "../report/report-style.ts";
import { conversionChart } from "./conversion-chart.ts";
import type { ConversionPlan } from "./conversion-plan.ts";
import type { ConversionResult } from "./conversion-study.ts";
import { conversionCells, conversionFindings, conversionHeads, conversionMarkdown } from "./conversion-table.ts";

/** What the outputs say beside the results. */
export interface ConversionOutputOptions {
  readonly plan: ConversionPlan;
  /** The command that does the study again. */
  readonly command: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** Writes `report.html`, `summary.md`, `results.jsonl`, and a picture of each sharing; returns their paths. */
export async function writeConversionOutputs(
  directory: string,
  results: readonly ConversionResult[],
  options: ConversionOutputOptions,
): Promise<string[]> {
  const { sharings } = options.plan;
  const files: Record<string, string> = {
    "report.html": page(results, options),
    "summary.md": `${conversionMarkdown(results)}\n\n${conversionFindings(results)
      .map((line) => `- ${line}`)
      .join("\n")}\n`,
    "results.jsonl": jsonLines(results),
    ...Object.fromEntries(
      sharings.map((sharing) => [`uptraining-${fileName(sharing)}.svg`, conversionChart(results, sharing)]),
    ),
  };
  makeDirectory(directory);
  for (const [name, content] of Object.entries(files)) {
    await writeAtomic(join(directory, name), [new TextEncoder().encode(content)]);
  }
  return Object.keys(files).map((name) => join(directory, name));
}

const fileName = (sharing: string) => sharing.replace(/\W+/g, "-");

function page(results: readonly ConversionResult[], { plan, command, versions }: ConversionOutputOptions): string {
  const cells = conversionCells(results).map(
    (row) => `<tr>${row.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>`,
  );
  const head = conversionHeads.map((name) => `<th scope="col">${name}</th>`).join("");
  const sharings = new Map(
    results.map(({ model }) => [sharingName(model.sharing) || "teacher", model.sharing] as const),
  );
  const body = [
    `<h1>${escaped(plan.title)}</h1>`,
    `<p class="lead">A trained model keeps keys and values in every layer. Here it is made to share them, in several ways, and trained on. Losses are nats per token on text that nothing was trained on or fitted to; "recovered" is the part of what conversion lost that training gave back, beside the teacher trained on for as long.</p>`,
    section("What the study shows", [list(conversionFindings(results))]),
    section("Every run", [
      `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${cells.join("")}</tbody></table></div>`,
    ]),
    section(
      "Uptraining",
      plan.sharings.map((sharing) => {
        const drawn = (drawing: DrawingOptions) => conversionChart(results, sharing, drawing);
        return figures(drawn, `Sharing ${sharing}. Dashed: distilled. The first points are of the conversion itself.`);
      }),
    ),
    section(
      "Who keeps keys and values",
      [...sharings].map(
        ([name, sharing]) => `<h3>${escaped(name)}</h3>${figures((drawing) => sharingSvg(sharing, drawing))}`,
      ),
    ),
    section("How to do it again", [
      `<pre>${escaped(command)}</pre>`,
      facts({
        processor: `${cpus()[0]?.model.trim() ?? "unknown"}, ${cpus().length} cores`,
        time: `${durationText(results.reduce((sum, { seconds }) => sum + seconds, 0))} of training`,
        ...versions,
      }),
      `<details><summary>Settings</summary><pre>${json(plan)}</pre></details>`,
    ]),
  ];
  return [
    "<!doctype html>",
    '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escaped(plan.title)}</title><style>${reportStyle}</style></head>`,
    `<body><main>\n${body.join("\n")}\n</main></body></html>\n`,
  ].join("\n");
}
