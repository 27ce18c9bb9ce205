// What a study says first, in a few sentences: what sharing saves, which is arithmetic, and what it costs, which is measured
// and claimed only where seeds tell it from chance. Knows no page.

import { isDeepStrictEqual } from "node:util";
import { differenceText, estimateText, integerText, intervalText, signedText } from "../../charts/quantity.ts";
import { unsharedTwin } from "../../model/cost.ts";
import { isShared } from "../../model/sharing.ts";
import type { Comparison, Conclusions } from "../numbers/conclusions.ts";
import { type Contrast, contrastOf } from "../numbers/contrasts.ts";
import { reportedText } from "../numbers/result.ts";
import type { SummaryRow } from "../numbers/summary.ts";

/** The sentences, the most certain first. A comparison that was planned is told as such: corrected for how many were. */
export function finding({ summary, contrasts, comparisons, supports }: Conclusions): string[] {
  if (summary.length === 0) return ["There are no results yet."];
  const asked = contrasts.map(({ sentence }) => sentence);
  const between = (a: SummaryRow, b: SummaryRow) =>
    comparisons.find(
      ({ smaller, larger }) => (smaller === a.name && larger === b.name) || (smaller === b.name && larger === a.name),
    );
  const shared = summary.filter(({ model }) => isShared(model.sharing));
  const pairs = shared.flatMap((row) => {
    const twin = summary.find((other) => isTwin(other, row));
    return twin ? [{ row, twin }] : [];
  });
  // The pair with the most seeds says most; of such, the one that shares least stands nearest to its twin.
  pairs.sort((a, b) => b.row.seeds.length - a.row.seeds.length || b.row.kvBytesPerToken - a.row.kvBytesPerToken);
  const [pair] = pairs;
  if (!pair) return asked.length > 0 ? asked : [...supports];
  const { row, twin } = pair;
  const times = twin.kvBytesPerToken / row.kvBytesPerToken;
  const bytes = `${integerText(row.kvBytesPerToken)} bytes of keys and values per token instead of ${integerText(twin.kvBytesPerToken)}`;
  const saved = `${row.name} keeps ${bytes}: the same memory holds ${Number(times.toPrecision(3))}× the tokens of ${twin.name}.`;
  const lines = [
    saved,
    `${reportedText(summary.flatMap(({ runs }) => runs)) === "test" ? "Test" : "Validation"} perplexity is ${estimateText(row.perplexity)} where ${twin.name} has ${estimateText(twin.perplexity)}: ${plannedVerdict(row, contrastOf(contrasts, row.name, twin.name)) ?? verdict(row, between(row, twin))}.`,
  ];
  const equals = summary.filter(
    (other) => !isShared(other.model.sharing) && other.kvBytesPerToken === row.kvBytesPerToken,
  );
  for (const other of equals.slice(0, 1)) {
    lines.push(
      `${other.name}, with the same bytes and nothing shared, has ${estimateText(other.perplexity)}: ${plannedVerdict(row, contrastOf(contrasts, row.name, other.name)) ?? verdict(row, between(row, other))}.`,
    );
  }
  return lines;
}

/** Whether two models differ in sharing alone, and `other` shares nothing. */
function isTwin(other: SummaryRow, { model }: SummaryRow): boolean {
  return isDeepStrictEqual(other.model, unsharedTwin(model));
}

function plannedVerdict({ name }: SummaryRow, contrast: Contrast | undefined): string | undefined {
  if (!contrast) return undefined;
  const { model, seeds, told } = contrast;
  const sign = model === name ? 1 : -1;
  const difference = sign * contrast.difference;
  const interval = contrast.interval.map((end) => sign * end).sort((a, b) => a - b) as [number, number];
  const numbers = `${signedText(difference, 3)} nats per token, 95% ${intervalText(interval, 3)}`;
  const count = `${seeds.length} ${seeds.length === 1 ? "seed" : "seeds"}`;
  if (!told) return `${count} do not tell them apart (${numbers})`;
  return `sharing is ${difference < 0 ? "better" : "worse"} over ${count} (${numbers})`;
}

function verdict({ name }: SummaryRow, comparison: Comparison | undefined): string {
  const { loss, separated } = comparison as Comparison;
  if (loss.n === 0) return "they have no seed in common";
  if (!Number.isFinite(loss.mean)) return "runs diverged";
  const seeds = `${loss.n} ${loss.n === 1 ? "seed" : "seeds"}`;
  const own = comparison?.smaller === name ? loss : { ...loss, mean: -loss.mean };
  if (loss.n === 1) return `one seed tells nothing of chance (${differenceText(own, 3)} nats per token)`;
  if (!separated) return `${seeds} do not tell them apart (${name} ${differenceText(own, 3)} nats per token)`;
  const size = estimateText({ ...own, mean: Math.abs(own.mean) }, 3);
  return `sharing is ${own.mean < 0 ? "better" : "worse"} by ${size} nats per token over ${seeds}`;
}
