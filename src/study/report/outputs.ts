// What a study leaves for people: the report and its pictures as files, each written whole.

import { join } from "node:path";
import { memoryPicture } from "../../charts/memory-picture.ts";
import { modelColors } from "../../charts/palette.ts";
import { writeAtomic } from "../../files/atomic-file.ts";
import { makeDirectory } from "../../files/directory.ts";
import { conclude } from "../numbers/conclusions.ts";
import type { Result } from "../numbers/result.ts";
import { resultsCsv } from "../numbers/results-csv.ts";
import { paperContrasts, type SizedContrast, sizedContrasts } from "../numbers/sized-contrasts.ts";
import type { StudyPlan } from "../trials/plan.ts";
import { learningRateChart, lossChart, paretoChart } from "./chart.ts";
import { evaluationsMarkdown } from "./evaluation-table.ts";
import { probeCharts } from "./probe-chart.ts";
import { report } from "./report.ts";
import { sizeChart } from "./size-chart.ts";
import { markdownTable } from "./table.ts";

/** What a study's outputs say beside its results. */
export interface OutputOptions {
  plan: StudyPlan;
  /** The command that does the study again. */
  command: string;
  /** Seconds it took. */
  duration: number;
  /** What studies of other sizes found. */
  otherSizes?: readonly SizedContrast[];
}

/**
 * Writes `report.html`, `pareto.svg`, `memory.svg`, `loss.svg`, `summary.md`, `results.csv`; `learning-rates.svg` if
 * several were tried, `sizes.svg` if the plan asks what sharing costs, and a picture for each probe.
 */
export async function writeOutputs(
  directory: string,
  results: readonly Result[],
  { plan, command, duration, otherSizes = [] }: OutputOptions,
): Promise<string[]> {
  const concluded = conclude(results, plan.contrasts);
  const { summary } = concluded;
  const colors = modelColors(results);
  const { cpu: _cpu, platform: _platform, ...software } = results.at(-1)?.versions ?? {};
  const page = report({
    title: plan.title ?? plan.name,
    results,
    ...{ contrasts: plan.contrasts, concluded },
    preset: plan,
    command,
    versions: software,
    environment: environmentOf(results),
    duration,
    otherSizes,
  });
  const sizes = sizedContrasts(concluded.contrasts, summary);
  const files: Record<string, string> = {
    "report.html": page,
    "pareto.svg": paretoChart(summary, {}, colors),
    "memory.svg": memoryPicture(summary, colors),
    "loss.svg": lossChart(summary, {}, colors),
    ...(summary.some(({ learningRates }) => learningRates.length > 1)
      ? { "learning-rates.svg": learningRateChart(results, summary, {}, colors) }
      : {}),
    ...(sizes.length > 0 ? { "sizes.svg": sizeChart([...sizes, ...otherSizes, ...paperContrasts]) } : {}),
    ...Object.fromEntries(probeCharts(summary, {}, colors).map(({ name, svg }) => [`${name}.svg`, svg])),
    "summary.md": [markdownTable(summary), evaluationsMarkdown(summary)].filter(Boolean).join("\n\n").concat("\n"),
    "results.csv": resultsCsv(results),
  };
  makeDirectory(directory);
  const paths = Object.keys(files).map((name) => join(directory, name));
  for (const [name, content] of Object.entries(files)) {
    await writeAtomic(join(directory, name), [new TextEncoder().encode(content)]);
  }
  return paths;
}

/** What the runs were computed on, each with its number of runs where there are several. */
function environmentOf(results: readonly Result[]): Record<string, string> {
  const told = (of: (result: Result) => string | undefined) => {
    const counts = new Map<string, number>();
    for (const name of results.map((result) => of(result) ?? "unknown")) counts.set(name, (counts.get(name) ?? 0) + 1);
    return [...counts].map(([name, runs]) => (counts.size > 1 ? `${name} (${runs} runs)` : name)).join(", ");
  };
  return {
    device: told(({ device }) => device ?? "CPU"),
    precision: told(({ precision }) => precision ?? "float32"),
    processor: told(({ versions }) => versions.cpu),
    system: told(({ versions }) => versions.platform),
  };
}
