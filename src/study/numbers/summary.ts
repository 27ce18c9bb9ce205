// A study in a row per model: what its runs at its best learning rate found, and whether another model beats it.
// Refuses to set side by side what was not trained and measured alike.

import { isDeepStrictEqual } from "node:util";
import { InputError } from "../../error.ts";
import type { ModelConfig } from "../../model/config.ts";
import { type Estimate, estimate, mean } from "../../tensor/estimate.ts";
import { paretoFront } from "./pareto.ts";
import { type Quality, type Result, reported } from "./result.ts";
import { bestLearningRate, byLearningRate } from "./statistics.ts";

/** One model of a study. */
export interface SummaryRow {
  readonly name: string;
  readonly model: ModelConfig;
  /** Float32 bytes, as allocated. */
  readonly kvBytesPerToken: number;
  readonly parameters: Result["parameters"];
  /** The best of `learningRates`: all numbers here are of its runs alone. */
  readonly learningRate: number;
  /** All that were tried, ascending. */
  readonly learningRates: readonly number[];
  readonly seeds: readonly number[];
  /** Loss on held-out text, nats per token (see `reported`). */
  readonly loss: Estimate;
  readonly perplexity: Estimate;
  readonly bitsPerByte: Estimate;
  readonly wordPerplexity: Estimate;
  readonly tokensPerSecond: number;
  /** No other model has at most its bytes and its mean perplexity, and less of one, over the seeds that all have. */
  readonly onFront: boolean;
  /** It shares no seed with the others, so it is shown but compared with none. */
  readonly apart: boolean;
  /** Text written by the first of its runs that wrote any. */
  readonly sample: string | undefined;
  /** The runs at `learningRate`, by seed. */
  readonly runs: readonly Result[];
}

/**
 * A row per model, by bytes descending, then by perplexity. Runs that chose learning rates are left out.
 * @throws InputError if results differ in data, precision or training tokens, or two models go by one name.
 */
export function summarize(results: readonly Result[]): SummaryRow[] {
  const distinct = withoutRepeats(results);
  checkComparable(distinct);
  const named = new Set(distinct.filter(({ purpose }) => purpose !== "tuning").map(({ name }) => name));
  const rows = [...named].map((name) => summarizeModel(distinct.filter((result) => result.name === name)));
  const seeds = commonSeeds(rows);
  const compared = rows.filter((row) => row.seeds.some((seed) => seeds.has(seed)));
  const places = compared.map(({ name, kvBytesPerToken, runs }) => {
    const losses = runs.filter(({ seed }) => seeds.has(seed)).map((run) => reported(run).perplexity);
    return { name, bytes: kvBytesPerToken, loss: mean(losses) };
  });
  const front = new Set(paretoFront(places).map(({ name }) => name));
  return rows
    .map((row) => ({ ...row, onFront: front.has(row.name), apart: !compared.includes(row) }))
    .sort((a, b) => b.kvBytesPerToken - a.kvBytesPerToken || order(a.perplexity.mean, b.perplexity.mean));
}

/** The seeds of every model; where no seed is, those of the most models that share one. */
function commonSeeds(rows: readonly SummaryRow[]): ReadonlySet<number> {
  const having = (seed: number) => rows.filter(({ seeds }) => seeds.includes(seed));
  const all = [...new Set(rows.flatMap(({ seeds }) => seeds))];
  const most = Math.max(...all.map((seed) => having(seed).length));
  const first = all.find((seed) => having(seed).length === most);
  if (first === undefined) return new Set();
  const [one, ...others] = having(first) as [SummaryRow, ...SummaryRow[]];
  return new Set(one.seeds.filter((seed) => others.every(({ seeds }) => seeds.includes(seed))));
}

/** Mean validation loss of each learning rate that was tried, by model: of the runs made for tuning, where there are such. */
export function learningRateSweep(results: readonly Result[]): { name: string; rate: number; loss: Estimate }[] {
  const every = withoutRepeats(results);
  const tuning = every.filter(({ purpose }) => purpose === "tuning");
  const distinct = tuning.length > 0 ? tuning : every;
  return [...new Set(distinct.map(({ name }) => name))].flatMap((name) =>
    [...byLearningRate(distinct.filter((result) => result.name === name))].map(([rate, runs]) => ({
      name,
      rate,
      loss: estimate(runs.map(({ validation }) => validation.loss)),
    })),
  );
}

function summarizeModel(results: readonly Result[]): SummaryRow {
  const told = results.filter(({ purpose }) => purpose !== "tuning");
  const learningRate = bestLearningRate(told);
  const runs = told.filter((result) => result.learningRate === learningRate).sort((a, b) => a.seed - b.seed);
  const first = runs[0] as Result;
  const over = (measure: keyof Quality) => estimate(runs.map((run) => reported(run)[measure]));
  return {
    name: first.name,
    model: first.model,
    kvBytesPerToken: first.kvBytesPerToken,
    parameters: first.parameters,
    learningRate,
    learningRates: [...byLearningRate(results).keys()],
    seeds: runs.map(({ seed }) => seed),
    loss: over("loss"),
    perplexity: over("perplexity"),
    bitsPerByte: over("bitsPerByte"),
    wordPerplexity: over("wordPerplexity"),
    tokensPerSecond: mean(runs.map(({ tokensPerSecond }) => tokensPerSecond)),
    onFront: false,
    apart: false,
    sample: runs.find(({ sample }) => sample !== undefined)?.sample,
    runs,
  };
}

// A sweep that two processes ran may hold a run twice: the same in all that fixes it, so one of them will do.
function withoutRepeats(results: readonly Result[]): Result[] {
  return [
    ...new Map(results.map((result) => [`${result.key} ${result.seed} ${result.learningRate}`, result])).values(),
  ];
}

function checkComparable(results: readonly Result[]): void {
  const first = results[0];
  if (!first) return;
  const precisionOf = ({ precision = "float32" }: Result) => precision;
  const models = new Map<string, Result>();
  const runs = new Map<string, Result>();
  for (const result of results) {
    if (result.tokens !== first.tokens) {
      throw new InputError(
        `summary: ${first.name} was trained on ${first.tokens} tokens and ${result.name} on ${result.tokens}; summarise results of one budget at a time`,
      );
    }
    if (!sameText(result.dataset, first.dataset)) {
      throw new InputError(
        `summary: ${first.name} and ${result.name} differ in data (${first.dataset.source}, ${result.dataset.source}); summarise results of one dataset at a time`,
      );
    }
    if (precisionOf(result) !== precisionOf(first)) {
      throw new InputError(
        `summary: ${first.name} was trained in ${precisionOf(first)} and ${result.name} in ${precisionOf(result)}; summarise results of one precision at a time`,
      );
    }
    const model = models.get(result.name) ?? result;
    models.set(result.name, model);
    if (!isDeepStrictEqual(model.model, result.model)) {
      throw new InputError(`summary: two different models are named ${result.name}; give them names of their own`);
    }
    const place = `${result.name}, seed ${result.seed}, learning rate ${result.learningRate}`;
    const run = runs.get(place);
    if (run) throw new InputError(`summary: ${place} is there twice (${run.key}, ${result.key}); keep one of them`);
    runs.set(place, result);
  }
}

// Prepared text is known by its content, wherever it lies.
function sameText(a: Result["dataset"], b: Result["dataset"]): boolean {
  return a.identity !== undefined || b.identity !== undefined ? a.identity === b.identity : isDeepStrictEqual(a, b);
}

function order(a: number, b: number): number {
  return (Number.isFinite(a) ? a : Number.MAX_VALUE) - (Number.isFinite(b) ? b : Number.MAX_VALUE);
}
