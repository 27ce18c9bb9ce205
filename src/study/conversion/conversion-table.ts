// A study of conversion as a table, and what it shows in plain sentences. One run each: no difference is claimed as more
// than what was measured.

import Table from "cli-table3";
import { type Align, markdownOf } from "../../charts/markdown.ts";
import { countText, integerText, signedText } from "../../charts/quantity.ts";
import { sharingName } from "../../model/sharing.ts";
import type { ConversionResult } from "./conversion-study.ts";

/** The columns' heads, in order; the first three are text. */
export const conversionHeads = [
  "model",
  "begins as",
  "taught by",
  "KV B/token",
  "tokens",
  "loss before",
  "loss after",
  "perplexity",
  "recovered",
] as const;
const textColumns = 3;
const aligns = conversionHeads.map((_, i): Align => (i < textColumns ? "left" : "right"));

/**
 * What training gave back of what conversion lost beside `teacher`: 1 where it ends as good as the teacher that was trained
 * on for as long, `continued`, and above where it ends better; undefined where nothing was lost.
 */
export function recovered(
  { before, after }: ConversionResult,
  teacher: ConversionResult,
  continued: ConversionResult,
): number | undefined {
  if (before === undefined || before <= teacher.after) return undefined;
  return 1 - (after - continued.after) / (before - teacher.after);
}

/** A result's cells in the order of `conversionHeads`; losses are held-out, nats per token. */
export function conversionCells(results: readonly ConversionResult[]): string[][] {
  const [teacher, continued] = [theOne(results, "teacher"), theOne(results, "continued")];
  return results.map((result) => {
    const part = result.kind === "converted" ? recovered(result, teacher, continued) : undefined;
    return [
      result.kind === "teacher" ? "teacher" : sharingName(result.model.sharing) || "unshared",
      result.init ?? (result.kind === "continued" ? "teacher" : "random"),
      result.kind === "converted" ? (result.isDistilled ? "text, teacher" : "text") : "text",
      integerText(result.kvBytesPerToken),
      countText(result.tokens),
      result.before?.toFixed(4) ?? "",
      result.after.toFixed(4),
      result.perplexity.toFixed(2),
      part === undefined ? "" : `${(100 * part).toFixed(0)}%`,
    ];
  });
}

/** The table for a terminal. */
export function conversionTerminalTable(results: readonly ConversionResult[]): string {
  const table = new Table({
    head: [...conversionHeads],
    colAligns: [...aligns],
    style: { head: [], border: [], compact: true },
  });
  table.push(...conversionCells(results));
  return table.toString();
}

/** The table in Markdown. */
export function conversionMarkdown(results: readonly ConversionResult[]): string {
  return markdownOf(conversionHeads, conversionCells(results), aligns);
}

/** What the study shows, a sentence each. */
export function conversionFindings(results: readonly ConversionResult[]): string[] {
  const [teacher, continued] = [theOne(results, "teacher"), theOne(results, "continued")];
  const converted = results.filter(({ kind }) => kind === "converted");
  const plain = converted.filter(({ isDistilled }) => !isDistilled);
  const lost = (loss: number) => signedText(loss - teacher.after);
  const lines = [
    `The teacher, trained on for ${countText(continued.tokens)} tokens as conversions are, changes by ${lost(continued.after)} nats per token: what conversions end at is to be compared with that.`,
  ];
  for (const sharing of new Set(converted.map((result) => result.sharing))) {
    const own = plain.filter((result) => result.sharing === sharing);
    const name = sharingName(own[0]?.model.sharing ?? []);
    const label = sharing === "search" ? `the searched sharings` : name;
    const begin = own.map(({ init, before = Number.NaN }) => `${init} ${lost(before)}`).join(", ");
    lines.push(`Converted to ${label} without training, the loss changes by: ${begin} nats per token.`);
    const all = converted.filter((result) => result.sharing === sharing).sort((a, b) => a.after - b.after);
    const best = all[0] as ConversionResult;
    const part = recovered(best, teacher, continued);
    const back = part === undefined ? "" : `, ${(100 * part).toFixed(0)}% of its loss recovered`;
    lines.push(
      `After ${countText(best.tokens)} tokens of uptraining the best of ${label} began as ${best.init}${best.isDistilled ? " and was distilled" : ""}: ${lost(best.after)} nats from the teacher, ${signedText(best.after - continued.after)} from the teacher trained on${back}.`,
    );
    const scratch = results.find((result) => result.kind === "scratch" && result.sharing === sharing);
    if (scratch) {
      const difference = best.after - scratch.after;
      lines.push(
        `The same model trained from scratch on ${countText(scratch.tokens)} tokens, as many as teacher and uptraining together, ends ${lost(scratch.after)} nats from the teacher: the conversion is ${Math.abs(difference).toFixed(4)} nats ${difference < 0 ? "better" : "worse"}.`,
      );
    }
  }
  const pairs = plain.flatMap((one) => {
    const twin = converted.find(
      ({ isDistilled, sharing, init }) => isDistilled && sharing === one.sharing && init === one.init,
    );
    return twin ? [twin.after - one.after] : [];
  });
  if (pairs.length > 0) {
    const better = pairs.filter((difference) => difference < 0).length;
    const mean = pairs.reduce((sum, difference) => sum + difference, 0) / pairs.length;
    lines.push(
      `Distillation beside the text changes the loss after uptraining by ${signedText(mean)} nats per token on average, for the better in ${better} of ${pairs.length} pairs.`,
    );
  }
  lines.push("One run each: differences of a few thousandths may be chance.");
  return lines;
}

function theOne(results: readonly ConversionResult[], kind: ConversionResult["kind"]): ConversionResult {
  const found = results.find((result) => result.kind === kind);
  if (!found) throw new TypeError(`conversion study: no ${kind} among the results`);
  return found;
}
