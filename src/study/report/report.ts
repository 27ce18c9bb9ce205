// A study as one page of HTML that reads offline: numbers, pictures, samples, conclusions, and how to do it again.
// Everything on it comes from the results; it loads nothing and runs no script.

import type { DrawingOptions } from "../../charts/drawing-options.ts";
import { escaped, facts, figures, json, list, section } from "../../charts/markup.ts";
import { memoryPicture } from "../../charts/memory-picture.ts";
import { modelColors } from "../../charts/palette.ts";
import { bytesText, countText, durationText, estimateText, integerText, rateText } from "../../charts/quantity.ts";
import { sharingSvg } from "../../charts/sharing-picture.ts";
import { owners } from "../../model/sharing.ts";
import { type Comparison, type Conclusions, conclude } from "../numbers/conclusions.ts";
import type { PlannedContrast } from "../numbers/contrasts.ts";
import { type Result, reported, reportedText } from "../numbers/result.ts";
import { paperContrasts, type SizedContrast, sizedContrasts } from "../numbers/sized-contrasts.ts";
import type { SummaryRow } from "../numbers/summary.ts";
import { learningRateChart, lossChart, paretoChart } from "./chart.ts";
import { evaluationSections } from "./evaluation-table.ts";
import { finding } from "./finding.ts";
import { probeCharts } from "./probe-chart.ts";
import { reportStyle } from "./report-style.ts";
import { sizeChart } from "./size-chart.ts";
import { cells, heads } from "./table.ts";

/** What a report is made from. */
export interface ReportOptions {
  title: string;
  results: readonly Result[];
  /** What the plan asks (see `contrasts`). */
  contrasts?: readonly PlannedContrast[];
  /** What studies of other sizes found. */
  otherSizes?: readonly SizedContrast[] | undefined;
  /** What the results say of it, where that is known already. */
  concluded?: Conclusions;
  /** The settings that the study ran with, shown as JSON. */
  preset: { readonly name: string };
  /** The command that does the study again. */
  command: string;
  versions: Readonly<Record<string, string>>;
  /** What the study ran on: processor, memory, system. */
  environment: Readonly<Record<string, string>>;
  /** Seconds that the whole study took. */
  duration: number;
}

/** A self-contained page. Throws an InputError if the results cannot be compared (see `summarize`). */
export function report(options: ReportOptions): string {
  const { title, results } = options;
  const concluded = options.concluded ?? conclude(results, options.contrasts);
  const { summary, contrasts, comparisons, supports, limits } = concluded;
  const asked = contrasts.map(({ sentence }) => sentence);
  const sweeps = summary.some(({ learningRates }) => learningRates.length > 1);
  const colors = modelColors(results);
  const body = [
    opening(title, concluded, colors),
    extent(summary, options),
    memory(summary, colors),
    asked.length > 0 ? section("What was asked, and found", [list(asked)]) : "",
    sizes(sizedContrasts(contrasts, summary), options.otherSizes),
    section("In numbers", [table(summary)]),
    evaluationSections(summary),
    probes(summary, colors),
    section("What the study shows", [list(supports), pairs(comparisons)]),
    section("What it does not show", [list(limits)]),
    sweeps
      ? section("Learning rates", [
          figures(
            (drawing) => learningRateChart(results, summary, drawing, colors),
            "Every model was trained at each rate and is shown elsewhere at its best, for one rate does not suit all models.",
          ),
        ])
      : "",
    section("Training", [
      figures(
        (drawing) => lossChart(summary, drawing, colors),
        "Each line is the mean of a model's runs at its best learning rate.",
      ),
    ]),
    section("Who keeps keys and values", sharings(summary)),
    samples(summary),
    section("How to do it again", reproduction(options)),
    section("Models in full", summary.map(details)),
  ];
  return [
    "<!doctype html>",
    '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escaped(title)}</title><style>${reportStyle}</style></head>`,
    `<body><main>\n${body.filter(Boolean).join("\n")}\n</main></body></html>\n`,
  ].join("\n");
}

/** What the study found, with the picture that it rests on: all of it on the first screen, also of a phone. */
function opening(title: string, concluded: Conclusions, colors: ReadonlyMap<string, string>): string {
  const [first, ...others] = finding(concluded);
  const more = others.length > 0 ? ` <span>${escaped(others.join(" "))}</span>` : "";
  const sentences = `<p class="finding"><strong>${escaped(first as string)}</strong>${more}</p>`;
  const heading = `<h1>${escaped(title)}</h1>`;
  if (concluded.summary.length === 0) return `${heading}${sentences}`;
  const steps = concluded.summary.filter(({ onFront }) => onFront).length > 1 ? " The grey steps connect them." : "";
  const caption = `Down and to the left is better. Filled points are on the front: no other model is both as small and as good.${steps}`;
  const picture = figures((drawing) => paretoChart(concluded.summary, drawing, colors), caption);
  return `<header class="opening">${heading}${sentences}${picture}</header>`;
}

function extent(summary: readonly SummaryRow[], { results, duration }: ReportOptions): string {
  const first = results[0];
  if (!first) return "";
  const { source, train } = first.dataset;
  const figures: [string, string][] = [
    ["models", String(summary.length)],
    ["runs", String(results.length)],
    ["tokens a run", countText(first.tokens)],
    ["perplexity, best mean", bestOf(summary).perplexity.mean.toFixed(2)],
    ["time", durationText(duration)],
  ];
  const tiles = figures.map(([name, value]) => `<div><dt>${name}</dt><dd>${escaped(value)}</dd></div>`).join("");
  const data = `${count(summary.length, "language model")}, each trained on ${countText(first.tokens)} tokens of ${escaped(source)} (${countText(train.tokens)} training tokens, vocabulary of ${integerText(first.dataset.vocab)}), measured on text they have not seen, against the bytes of keys and values that they keep for every token.`;
  return `<dl class="figures">${tiles}</dl><p class="note">${data}</p>`;
}

/** What is certain at any scale: what a token takes, and what that leaves room for. */
function memory(summary: readonly SummaryRow[], colors: ReadonlyMap<string, string>): string {
  const row = summary[0];
  if (!row) return "";
  const { kvHeads, headDim, sharing } = row.model;
  const context = 8192;
  const sum = `2 × 4 bytes × ${count(kvHeads, "KV head")} × ${headDim} × ${count(owners(sharing).length, "layer")} = ${integerText(row.kvBytesPerToken)} bytes`;
  return section("What the same memory holds", [
    figures(
      (drawing) => memoryPicture(summary, colors, drawing),
      "The same area is the same memory. This is arithmetic on the allocated cache, so it holds at any scale and for any text.",
    ),
    "<p>To write its next token a model looks back at keys and values of every token before. They are kept in memory, the KV cache, for as long as the text is; what one token takes there limits how long texts may be and how many can be served at once.</p>",
    `<p>For ${escaped(row.name)} that is ${sum} (keys and values, float32). A text of ${integerText(context)} tokens would take ${bytesText(row.kvBytesPerToken * context)}. In cross-layer attention some layers keep none of their own and read those of an earlier layer, so they take no room.</p>`,
  ]);
}

/** What sharing costs at this size, at others and in the paper; "" where the plan does not ask it. */
function sizes(found: readonly SizedContrast[], others: readonly SizedContrast[] = []): string {
  if (found.length === 0) return "";
  const chart = (drawing: DrawingOptions) => sizeChart([...found, ...others, ...paperContrasts], drawing);
  const caption =
    "Bars are 95% intervals. The paper's points are one run each, on other text, so they have none; chance moves them too.";
  return section("Against size", [figures(chart, caption)]);
}

function probes(summary: readonly SummaryRow[], colors: ReadonlyMap<string, string>): string {
  const charts = (drawing: DrawingOptions) => probeCharts(summary, drawing, colors);
  const captions = charts({}).map(({ caption }) => caption);
  if (captions.length === 0) return "";
  return section(
    "Context, in pictures",
    captions.map((caption, i) => figures((drawing) => charts(drawing)[i]?.svg ?? "", caption)),
  );
}

function table(summary: readonly SummaryRow[]): string {
  const head = heads.map((name) => `<th scope="col">${name}</th>`).join("");
  const rows = cells(summary).map((row, i) => {
    const columns = row.map((cell, column) => `<td data-label="${heads[column]}">${escaped(cell)}</td>`).join("");
    return `<tr${summary[i]?.onFront ? ' class="front"' : ""}>${columns}</tr>`;
  });
  const note =
    "Bytes are float32, read off the allocated cache. Parameters leave out the embedding. ± is one standard error over seeds. LR is each model's best of those tried.";
  return `<div class="scroll"><table class="stacking"><thead><tr>${head}</tr></thead><tbody>${rows.join("")}</tbody></table></div><p class="note">${note}</p>`;
}

function pairs(comparisons: readonly Comparison[]): string {
  if (comparisons.length === 0) return "";
  const sentences = (separated: boolean) =>
    comparisons.filter((pair) => pair.separated === separated).map(({ sentence }) => sentence);
  const block = (title: string, lines: string[], open: boolean) =>
    lines.length === 0
      ? ""
      : `<details${open ? " open" : ""}><summary>${title} (${lines.length})</summary>${list(lines)}</details>`;
  const [told, open] = [sentences(true), sentences(false)];
  return [
    block("Pairs that the data separate", told, told.length <= 12),
    block("Pairs that they do not", open, open.length <= 6),
  ].join("");
}

function sharings(summary: readonly SummaryRow[]): string[] {
  const patterns = [...new Set(summary.map(({ model }) => model.sharing.join()))];
  const bySharing = patterns.map((pattern) => summary.filter(({ model }) => model.sharing.join() === pattern));
  return [
    "<p>A filled layer computes keys and values and keeps them in the cache; an outlined one reads those of the layer that its arrow comes from.</p>",
    ...bySharing.map((rows) => {
      const names = rows.map(({ name }) => name).join(", ");
      return `<h3>${escaped(names)}</h3>${figures((drawing) => sharingSvg((rows[0] as SummaryRow).model.sharing, drawing))}`;
    }),
  ];
}

function samples(summary: readonly SummaryRow[]): string {
  const written = summary.filter(({ sample }) => sample !== undefined);
  if (written.length === 0) return "";
  return section("What they write", [
    '<p class="note">One sample of each model, as it came.</p>',
    ...written.map(
      ({ name, sample }) => `<h3>${escaped(name)}</h3><blockquote>${escaped(sample as string)}</blockquote>`,
    ),
  ]);
}

function reproduction({ preset, command, versions, environment, duration, results }: ReportOptions): string[] {
  const seeds = [...new Set(results.map(({ seed }) => seed))].sort((a, b) => a - b);
  const computed = results.reduce((sum, { seconds }) => sum + seconds, 0);
  return [
    `<pre>${escaped(command)}</pre>`,
    facts({
      preset: preset.name,
      seeds: seeds.join(", "),
      time: `${durationText(duration)} in all, ${durationText(computed)} of runs`,
      ...environment,
    }),
    "<h3>Versions</h3>",
    facts(versions),
    `<details><summary>Settings</summary><pre>${json(preset)}</pre></details>`,
  ];
}

function details(row: SummaryRow): string {
  const numbers = facts({
    parameters: `${integerText(row.parameters.total)}, ${integerText(row.parameters.nonEmbedding)} without embedding`,
    "learning rates": row.learningRates
      .map((rate) => (rate === row.learningRate ? `${rateText(rate)} (best)` : rateText(rate)))
      .join(", "),
    [`${reportedText(row.runs)} loss`]: `${estimateText(row.loss, 4)} nats per token`,
    "word perplexity": estimateText(row.wordPerplexity),
    "bits per byte": estimateText(row.bitsPerByte, 4),
    seeds: row.runs.map((run) => `${run.seed}: ${reported(run).loss.toFixed(4)}`).join("; "),
    "training speed": `${integerText(row.tokensPerSecond)} tokens per second`,
    arithmetic: `${countText(row.runs[0]?.flopsPerToken ?? 0)} floating-point operations per token`,
  });
  return `<details><summary>${escaped(row.name)}</summary>${numbers}<pre>${json(row.model)}</pre></details>`;
}

function bestOf(summary: readonly SummaryRow[]): SummaryRow {
  const finite = summary.filter(({ perplexity }) => Number.isFinite(perplexity.mean));
  return finite.sort((a, b) => a.perplexity.mean - b.perplexity.mean)[0] ?? (summary[0] as SummaryRow);
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
