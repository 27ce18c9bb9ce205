// `crosslayer eval --probes`: what a run makes of its context.

import Table from "cli-table3";
import { integerText } from "../charts/quantity.ts";
import { InputError } from "../error.ts";
import type { Judge } from "../eval/judge.ts";
import type { ScoredDocument } from "../eval/perplexity.ts";
import type { ProbeFigure } from "../eval/probes/figures.ts";
import { type ContextProbes, type ProbeName, probe, probeNames, usualContexts } from "../eval/probes/probes.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** What the options give. */
export interface ProbeFlags {
  probes?: string;
  contexts?: string;
}

/** Tokens of text that are read at most: probes read windows spread over them. */
const mostTokens = 1 << 20;

/** Probes a model on documents. @throws InputError for an unknown probe or context, and where the text is too short. */
export async function probeText(
  judge: Judge,
  documents: AsyncIterable<ScoredDocument>,
  tokenizer: Tokenizer,
  { probes = "", contexts }: ProbeFlags,
): Promise<ContextProbes[]> {
  const names = probes.split(",").map((name) => name.trim()) as ProbeName[];
  const unknown = names.find((name) => !probeNames.includes(name));
  if (unknown !== undefined) {
    throw new InputError(`probes: there is no ${JSON.stringify(unknown)}; there is ${probeNames.join(", ")}`);
  }
  const asked = contexts === undefined ? usualContexts : contexts.split(",").map(Number);
  const wrong = asked.find((context) => !(Number.isInteger(context) && context >= 16));
  if (wrong !== undefined) throw new InputError(`contexts: must be whole numbers from 16, found ${contexts}`);
  const beyond = contexts === undefined ? undefined : asked.find((context) => context > judge.longest);
  if (beyond !== undefined)
    throw new InputError(`contexts: ${beyond} is more than the ${judge.longest} tokens that it reads`);
  const tokens: number[] = [];
  for await (const document of documents) {
    tokens.push(tokenizer.endOfText);
    for (let i = 0; i < document.tokens.length && tokens.length < mostTokens; i++)
      tokens.push(document.tokens[i] as number);
    if (tokens.length >= mostTokens) break;
  }
  const least = 16;
  if (tokens.length <= least) throw new InputError(`probes: the text has ${tokens.length} tokens; give more`);
  const stream = { tokens: tokens.length, read: (start: number, count: number) => tokens.slice(start, start + count) };
  const prefix = tokenizer.prefix.at(-1) ?? tokenizer.endOfText;
  const onContext = (context: number) => console.error(`probing a context of ${integerText(context)} tokens`);
  return probe(judge, stream, { probes: names, contexts: asked, prefix, onContext });
}

/** The probes for people. */
export function probesText(found: readonly ContextProbes[]): string {
  return found.map(contextText).join("\n\n");
}

function contextText({ context, windows, position, copying, retrieval }: ContextProbes): string {
  const text = (figure: ProbeFigure) => {
    const error = figure.standardError === undefined ? "" : ` ± ${figure.standardError.toFixed(3)}`;
    return `${figure.value.toFixed(3)}${error}`;
  };
  const lines = [`context of ${integerText(context)} tokens${windows > 0 ? `, ${integerText(windows)} windows` : ""}`];
  if (position) {
    lines.push("  loss by position, nats");
    lines.push(
      ...rows(
        position.map(({ from, to, loss }) => [to - from > 1 ? `${from} to ${to - 1}` : String(from), text(loss)]),
      ),
    );
  }
  if (copying) {
    const { repeated, others } = copying;
    lines.push("  loss on tokens that follow the token before as they did earlier in the window, and on the others");
    lines.push(
      ...rows([
        ["repeated", text(repeated), integerText(repeated.tokens)],
        ["others", text(others), integerText(others.tokens)],
      ]),
    );
  }
  if (retrieval) {
    lines.push(
      "  loss of a key's value by distance; where another value stood there; how often it is the likeliest token",
    );
    lines.push(
      ...rows(
        retrieval.map(({ distance, loss, control, accuracy }) => [
          integerText(distance),
          text(loss),
          text(control),
          text(accuracy),
        ]),
      ),
    );
  }
  return lines.join("\n");
}

function rows(cells: readonly (readonly string[])[]): string[] {
  const edges = ["top", "bottom", "left", "right", "mid"].flatMap((side) => [
    side,
    `${side}-mid`,
    `${side}-left`,
    `${side}-right`,
  ]);
  const chars = Object.fromEntries([...edges.map((edge) => [edge, ""] as const), ["middle", "  "] as const]);
  const style = { head: [], border: [], compact: true, "padding-left": 0, "padding-right": 0 };
  const table = new Table({ chars, style, colAligns: (cells[0] ?? []).map(() => "right") });
  table.push(...cells.map((row) => [...row]));
  return table
    .toString()
    .split("\n")
    .map((line) => `    ${line}`);
}
