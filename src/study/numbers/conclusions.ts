// What a study shows, in plain sentences. A difference is claimed only where runs paired by seed tell it from chance;
// everywhere else the sentence says that the data do not separate the two. What the study cannot show is said as well.

import { countText, differenceText, integerText, moreText, rateText } from "../../charts/quantity.ts";
import type { Estimate } from "../../tensor/estimate.ts";
import {
  type Contrast,
  contrastOf,
  contrasts,
  extraParametersOf,
  isSameSize,
  type PlannedContrast,
} from "./contrasts.ts";
import { type Result, reported, reportedText } from "./result.ts";
import { pairedDifference, separates } from "./statistics.ts";
import { type SummaryRow, summarize } from "./summary.ts";

/** Two models, the one with fewer KV bytes first (of equal bytes the better mean), each at its best learning rate. */
export interface Comparison {
  readonly smaller: string;
  readonly larger: string;
  /** KV bytes per token (float32) of `smaller` and `larger`. */
  readonly bytes: readonly [number, number];
  /** Held-out loss (see `reported`) of `smaller` minus that of `larger`, nats per token, paired by seed. */
  readonly loss: Estimate;
  readonly perplexity: Estimate;
  /** Whether the loss difference is told from zero (see `separates`). */
  readonly separated: boolean;
  readonly sentence: string;
}

/** What a study supports, and what it does not. */
export interface Conclusions {
  /** What they are drawn from, a row a model. */
  readonly summary: readonly SummaryRow[];
  /** What the plan asks. */
  readonly contrasts: readonly Contrast[];
  /** Every pair of models but those that `contrasts` judges: equal bytes first, then by how many times fewer. */
  readonly comparisons: readonly Comparison[];
  readonly supports: readonly string[];
  readonly limits: readonly string[];
}

/** Draws the conclusions of comparable results (see `summarize`, whose errors it throws), those that were planned first. */
export function conclude(results: readonly Result[], planned: readonly PlannedContrast[] = []): Conclusions {
  const summary = summarize(results);
  const asked = contrasts(planned, summary);
  const comparisons = summary
    .flatMap((a, i) =>
      summary
        .slice(i + 1)
        .filter((b) => !contrastOf(asked, a.name, b.name))
        .map((b) => (a.kvBytesPerToken === b.kvBytesPerToken ? compare(a, b) : compare(b, a))),
    )
    .sort((a, b) => ratio(a) - ratio(b));
  return {
    summary,
    contrasts: asked,
    comparisons,
    supports: supports(summary, comparisons, asked.length > 0),
    limits: limits(summary, comparisons, asked, results),
  };
}

function compare(smaller: SummaryRow, larger: SummaryRow): Comparison {
  const loss = pairedDifference(smaller.runs, larger.runs);
  const perplexity = pairedDifference(smaller.runs, larger.runs, (run) => reported(run).perplexity);
  const bytes = [smaller.kvBytesPerToken, larger.kvBytesPerToken] as const;
  const separated = separates(loss);
  const parameters = parametersText(smaller, larger);
  const size =
    bytes[0] === bytes[1]
      ? `${smaller.name} and ${larger.name} keep ${integerText(bytes[0])} bytes per token each`
      : `${smaller.name} keeps ${integerText(bytes[0])} bytes per token, ${larger.name} ${integerText(bytes[1])} (${timesText(bytes[1] / bytes[0])} as many)`;
  const comparison = { smaller: smaller.name, larger: larger.name, bytes, loss, perplexity, separated };
  return { ...comparison, sentence: `${size}${parameters}; ${verdict(comparison)}` };
}

function parametersText(a: SummaryRow, b: SummaryRow): string {
  const extra = extraParametersOf(a, b);
  return isSameSize(extra) ? "" : ` and has ${moreText(extra)} parameters`;
}

function verdict({ smaller, larger, loss, perplexity, separated }: Omit<Comparison, "sentence">): string {
  if (loss.n === 0) return "they have no seed in common, so the data do not separate their losses.";
  if (!Number.isFinite(loss.mean)) return "runs diverged, so there is nothing to compare.";
  const seeds = `${loss.n} ${loss.n === 1 ? "seed" : "seeds"}`;
  const numbers = `${differenceText(loss)} nats per token, perplexity ${differenceText(perplexity, 2)}; ${seeds}`;
  if (loss.n === 1)
    return `from one seed the data do not separate their losses (${smaller} minus ${larger}: ${numbers}).`;
  if (!separated) return `the data do not separate their losses (${smaller} minus ${larger}: ${numbers}).`;
  return `${smaller}'s held-out loss is ${loss.mean < 0 ? "lower" : "higher"} (${numbers}).`;
}

function supports(summary: readonly SummaryRow[], comparisons: readonly Comparison[], asked: boolean): string[] {
  if (summary.length === 0) return ["Nothing was measured."];
  if (summary.length === 1) return ["One model was measured, so nothing is compared."];
  const told = comparisons.filter(({ separated }) => separated);
  const front = summary.filter(({ onFront }) => onFront).map(({ name }) => name);
  const better = told.filter(({ loss }) => loss.mean < 0);
  const pairs = `${told.length} of ${comparisons.length} ${asked ? "other pairs" : "pairs of models"}`;
  const lines = [
    ...(comparisons.length > 0 ? [`The data separate ${pairs}.`] : []),
    `On the front by their means, which chance may move: ${front.join(", ") || "none"}.`,
  ];
  for (const { smaller, larger, bytes } of better) {
    const size = bytes[0] === bytes[1] ? "as many" : "fewer";
    lines.push(`At this scale ${smaller} has a lower loss than ${larger} with ${size} KV bytes.`);
  }
  return lines;
}

// The paper's own scale (arXiv 2405.12981 §5): what a small study cannot speak for.
const paperScale = "the paper's smallest models have about 850M and were trained on 30B tokens";

function limits(
  summary: readonly SummaryRow[],
  comparisons: readonly Comparison[],
  asked: readonly Contrast[],
  results: readonly Result[],
): string[] {
  const run = summary[0]?.runs[0];
  if (!run) return [];
  const sizes = summary.map(({ parameters }) => parameters.nonEmbedding);
  const [least, most] = [countText(Math.min(...sizes)), countText(Math.max(...sizes))];
  const { source, train, validation, test = validation } = run.dataset;
  const held = run.test ? test : validation;
  const passes = run.tokens / train.tokens;
  const counts = summary.map(({ seeds }) => seeds.length);
  const [few, many] = [Math.min(...counts), Math.max(...counts)];
  const lines = [
    `Scale: models of ${least === most ? least : `${least} to ${most}`} parameters without embeddings; ${paperScale}. An order found here need not hold there.`,
    `Training: ${countText(run.tokens)} tokens a run, ${Number(passes.toPrecision(2))} passes over ${countText(train.tokens)} tokens. Longer training may change the order.`,
    `Data: one source (${source}); ${reportedText([run])} on ${countText(held.tokens)} tokens of ${integerText(held.documents)} ${held.documents === 1 ? "document" : "documents"} that were not trained on. Other text was not tried.`,
  ];
  if (few === 1) {
    lines.push(
      `Seeds: ${many === 1 ? "one run a model" : "some models have one run"}, which shows nothing of the spread; no difference is claimed from it.`,
    );
  } else {
    const whose = asked.length > 0 ? "What was asked is corrected for being several (Holm). Any other" : "A";
    lines.push(
      `Seeds: ${few === many ? few : `${few} to ${many}`} runs a model. ${whose} difference is claimed outside a 95% interval (Student's t, never under two standard errors) of each pair by itself${comparisons.length > 5 ? `; of ${comparisons.length} pairs one in twenty may seem apart by chance` : ""}.`,
    );
  }
  lines.push(...learningRateLimits(summary, results));
  lines.push(
    "Cost: bytes are those of a float32 cache (16-bit takes half). Latency, throughput and memory of serving were not measured.",
  );
  return lines;
}

function learningRateLimits(summary: readonly SummaryRow[], results: readonly Result[]): string[] {
  if (summary.every(({ learningRates }) => learningRates.length === 1)) {
    return [
      "Learning rate: one rate was tried per model. The best may differ between models, and tuning it can be worth more than the differences here.",
    ];
  }
  const tuned = results.filter(({ purpose }) => purpose === "tuning");
  const seeds = [...new Set(tuned.map(({ seed }) => seed))];
  const lines = [
    tuned.length > 0
      ? `Learning rate: chosen for each model by ${seeds.length === 1 ? `seed ${seeds[0]}, which is` : `seeds ${seeds.join(", ")}, which are`} reported nowhere else; between the rates that were tried by a parabola.`
      : `Learning rate: each model is shown at the best of those tried, chosen ${summary[0]?.runs[0]?.test ? "by the same seeds" : "on the text it is then measured on"}.`,
  ];
  const edge = summary.filter(
    ({ learningRate, learningRates }) => learningRate === learningRates[0] || learningRate === learningRates.at(-1),
  );
  if (edge.length > 0) {
    const named = edge.map(({ name, learningRate }) => `${name} (${rateText(learningRate)})`).join(", ");
    lines.push(
      `Learning rate: the best is at the edge of what was tried, so a better one may lie beyond, for ${named}.`,
    );
  }
  return lines;
}

function timesText(ratio: number): string {
  return ratio === 2 ? "twice" : `${Number(ratio.toPrecision(3))} times`;
}

function ratio({ bytes: [smaller, larger] }: Comparison): number {
  return larger / smaller;
}
