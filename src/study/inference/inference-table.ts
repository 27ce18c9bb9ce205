// An inference evaluation as tables, for the terminal and for Markdown.

import { type Align, markdownOf } from "../../charts/markdown.ts";
import { bytesText, integerText } from "../../charts/quantity.ts";
import type { InferenceResults } from "./inference.ts";

/** A table: what it shows, the columns' heads (the first two are text) and the rows. */
export interface Sheet {
  readonly title: string;
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const ms = (value: number) => (value < 100 ? value.toFixed(1) : integerText(value));

/** The evaluation's tables; those without rows are left out. */
export function inferenceSheets({ capacity, decode, firstToken, throughput }: InferenceResults): Sheet[] {
  const [unit] = capacity;
  const sheets: Sheet[] = [
    {
      title: `Capacity of ${bytesText(unit?.kvMemory ?? 0)}`,
      heads: ["model", "KV", "tokens", "allocated", "× the first"],
      rows: capacity.map(({ name, kvDtype, tokens, kvBytes }) => [
        name,
        kvDtype,
        integerText(tokens),
        bytesText(kvBytes),
        `${(tokens / (unit?.tokens ?? 1)).toFixed(2)}×`,
      ]),
    },
    {
      title: "Decoding",
      heads: ["model", "KV", "batch", "context", "tokens/s", "ms/step", "JavaScript"],
      rows: decode.map(({ name, kvDtype, batch, context, tokensPerSecond, msPerStep, hostShare }) => [
        name,
        kvDtype,
        String(batch),
        integerText(context),
        integerText(tokensPerSecond),
        ms(msPerStep),
        `${(100 * hostShare).toFixed(1)}%`,
      ]),
    },
    {
      title: "First token",
      heads: ["model", "KV", "prompt", "cold ms", "found ms", "found/cold"],
      rows: firstToken.map(({ name, kvDtype, prompt, coldMs, cachedMs }) => [
        name,
        kvDtype,
        integerText(prompt),
        ms(coldMs),
        ms(cachedMs),
        `${((100 * cachedMs) / coldMs).toFixed(1)}%`,
      ]),
    },
    {
      title: "Serving from beginning to end",
      heads: ["model", "KV", "memory", "tokens/s", "at one time", "empty", "preempted"],
      rows: throughput.map(({ name, kvDtype, kvMemory, tokensPerSecond, most, waste, preemptions }) => [
        name,
        kvDtype,
        bytesText(kvMemory),
        integerText(tokensPerSecond),
        String(most),
        `${(100 * waste).toFixed(1)}%`,
        String(preemptions),
      ]),
    },
  ];
  return sheets.filter(({ rows }) => rows.length > 0);
}

/** Tables as Markdown. */
export function inferenceMarkdown(sheets: readonly Sheet[]): string {
  return sheets
    .map(({ title, heads, rows }) => {
      const aligns = heads.map((_, i): Align => (i < 2 ? "left" : "right"));
      return `## ${title}\n\n${markdownOf(heads, rows, aligns)}`;
    })
    .join("\n\n");
}

/** Tables as aligned text. */
export function inferenceText(sheets: readonly Sheet[]): string {
  return sheets
    .map(({ title, heads, rows }) => {
      const widths = heads.map((head, i) => Math.max(head.length, ...rows.map((row) => (row[i] as string).length)));
      const line = (cells: readonly string[]) =>
        cells
          .map((cell, i) => (i < 2 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number)))
          .join("  ")
          .trimEnd();
      return [title, line(heads), widths.map((width) => "─".repeat(width)).join("──"), ...rows.map(line)].join("\n");
    })
    .join("\n\n");
}
