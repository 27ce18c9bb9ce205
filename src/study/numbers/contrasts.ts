// The comparisons that a plan declares: each model's loss is its own part, its seed's and a residual; the residuals of all
// runs together say how far chance moves a difference. The planned ones are corrected for being several (Holm).

import { intervalText, moreText, signedText } from "../../charts/quantity.ts";
import { mean } from "../../tensor/estimate.ts";
import { reported } from "./result.ts";
import { tQuantile, tTwoSided } from "./student.ts";
import type { SummaryRow } from "./summary.ts";

/** What is to be compared. */
export interface PlannedContrast {
  readonly model: string;
  readonly against: string;
  /** Nats by which `model` may be worse and still count as no worse. */
  readonly margin?: number | undefined;
}

/** What a comparison found; `model` minus `against`, nats per token on the text that is reported. */
export interface Contrast extends PlannedContrast {
  /** Seeds that both have. */
  readonly seeds: readonly number[];
  readonly difference: number;
  readonly standardError: number;
  /** 95 %. */
  readonly interval: readonly [number, number];
  /** How often chance alone gives as much, by this comparison alone and by Holm over all planned ones. */
  readonly p: number;
  readonly adjustedP: number;
  /** `adjustedP` is below 5 %. */
  readonly told: boolean;
  /** The difference that this many seeds find four times in five, at 5 % by itself. */
  readonly detectable: number;
  /** Whether `model` is worse by less than the margin: the one-sided 95 % bound lies below it. */
  readonly noWorse?: boolean | undefined;
  /** How many more parameters (without embeddings) `model` has, as a share of `against`'s. */
  readonly extraParameters: number;
  readonly sentence: string;
}

/** Level of the tests, and the power that `detectable` is for. */
const [level, power] = [0.05, 0.8];

/** Whether models differ in parameters by less than is told. */
export const isSameSize = (extraParameters: number) => Math.abs(extraParameters) < 5e-4;

/** How many more parameters (without embeddings) `a` has, as a share of `b`'s. */
export const extraParametersOf = (a: SummaryRow, b: SummaryRow) =>
  a.parameters.nonEmbedding / b.parameters.nonEmbedding - 1;

/** What was found of two models, whichever is compared with the other; undefined where that was not planned. */
export function contrastOf(found: readonly Contrast[], a: string, b: string): Contrast | undefined {
  return found.find(({ model, against }) => (model === a && against === b) || (model === b && against === a));
}

/** The planned comparisons of a summary, those left out whose models share no seed or whose runs diverged. */
export function contrasts(planned: readonly PlannedContrast[], summary: readonly SummaryRow[]): Contrast[] {
  const rows = new Map(summary.map((row) => [row.name, row]));
  const named = planned.filter(({ model, against }) => rows.has(model) && rows.has(against));
  const involved = new Set(named.flatMap(({ model, against }) => [model, against]));
  const runs = [...involved].flatMap((name) =>
    (rows.get(name) as SummaryRow).runs.map((run) => ({ name, seed: run.seed, loss: reported(run).loss })),
  );
  const { variance, degrees } = pooledResidual(runs);
  const found = named.flatMap((contrast) => {
    const [a, b] = [contrast.model, contrast.against].map((name) => rows.get(name) as SummaryRow) as [
      SummaryRow,
      SummaryRow,
    ];
    const other = new Map(b.runs.map((run) => [run.seed, reported(run).loss]));
    const pairs = a.runs.filter(({ seed }) => other.has(seed));
    if (pairs.length === 0 || !(degrees > 0) || !(variance > 0)) return [];
    const difference = mean(pairs.map((run) => reported(run).loss - (other.get(run.seed) as number)));
    const standardError = Math.sqrt((2 * variance) / pairs.length);
    const reach = tQuantile(1 - level / 2, degrees) * standardError;
    return {
      ...contrast,
      seeds: pairs.map(({ seed }) => seed),
      difference,
      standardError,
      interval: [difference - reach, difference + reach] as const,
      p: tTwoSided(difference / standardError, degrees),
      detectable: (tQuantile(1 - level / 2, degrees) + tQuantile(power, degrees)) * standardError,
      ...(contrast.margin !== undefined && {
        noWorse: difference + tQuantile(1 - level, degrees) * standardError < contrast.margin,
      }),
      extraParameters: extraParametersOf(a, b),
    };
  });
  const adjusted = holm(found.map(({ p }) => p));
  return found.map((contrast, i) => {
    const adjustedP = adjusted[i] as number;
    const whole = { ...contrast, adjustedP, told: adjustedP < level };
    return { ...whole, sentence: sentence(whole) };
  });
}

/**
 * The variance of what is left of losses after a part for each model and one for each seed (least squares), and its degrees
 * of freedom. Runs may be missing.
 */
export function pooledResidual(runs: readonly { name: string; seed: number; loss: number }[]): {
  variance: number;
  degrees: number;
} {
  const rest = runs.map(({ loss }) => loss);
  if (rest.length === 0 || !rest.every(Number.isFinite)) return { variance: Number.NaN, degrees: 0 };
  const groups = [...grouped(runs, ({ name }) => name), ...grouped(runs, ({ seed }) => String(seed))];
  const scale = Math.max(...rest.map(Math.abs));
  // Taking out the groups' means in turn comes to the least-squares fit (alternating projections).
  for (let moved = scale; moved > scale * 1e-12; ) {
    moved = 0;
    for (const group of groups) {
      const shift = mean(group.map((i) => rest[i] as number));
      for (const i of group) rest[i] = (rest[i] as number) - shift;
      moved = Math.max(moved, Math.abs(shift));
    }
  }
  const degrees = runs.length - groups.length + components(runs);
  return { variance: rest.reduce((sum, value) => sum + value * value, 0) / degrees, degrees };
}

/** Holm's step-down: p values, each as if it alone were asked, raised so that 5 % is the chance of any false one. */
export function holm(ps: readonly number[]): number[] {
  const order = ps.map((_, i) => i).sort((a, b) => (ps[a] as number) - (ps[b] as number));
  const adjusted = [...ps];
  let least = 0;
  order.forEach((i, rank) => {
    least = Math.max(least, Math.min(1, (ps.length - rank) * (ps[i] as number)));
    adjusted[i] = least;
  });
  return adjusted;
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): number[][] {
  const found = new Map<string, number[]>();
  items.forEach((item, i) => {
    found.set(keyOf(item), [...(found.get(keyOf(item)) ?? []), i]);
  });
  return [...found.values()];
}

/** How many sets of models share no seed with another set: each costs the fit one part less. */
function components(runs: readonly { name: string; seed: number }[]): number {
  const sets: Set<string>[] = [];
  for (const { name, seed } of runs) {
    const joined = new Set([`model ${name}`, `seed ${seed}`]);
    for (const set of sets.filter((other) => [...joined].some((item) => other.has(item)))) {
      for (const item of set) joined.add(item);
      sets.splice(sets.indexOf(set), 1);
    }
    sets.push(joined);
  }
  return sets.length;
}

function sentence(contrast: Omit<Contrast, "sentence">): string {
  const { model, against, difference, interval, adjustedP, told, detectable, margin, noWorse, extraParameters } =
    contrast;
  const estimate = `${signedText(difference)} nats, 95% ${intervalText(interval)}, p ${pText(adjustedP)} by Holm, ${contrast.seeds.length} seeds`;
  const verdict = told
    ? `${model} is ${difference < 0 ? "better" : "worse"} than ${against} (${estimate}).`
    : `${model} and ${against} are not told apart (${estimate}); ${detectable.toFixed(3)} would have been found four times in five.`;
  const size = isSameSize(extraParameters)
    ? ""
    : ` ${model} has ${moreText(extraParameters)} parameters (without embeddings).`;
  if (margin === undefined) return verdict + size;
  const tolerance = noWorse
    ? ` It is no worse by ${margin} nats or more (one-sided 95%).`
    : ` That it is no worse by ${margin} nats is not shown.`;
  return verdict + tolerance + size;
}

function pText(p: number): string {
  return p < 0.001 ? "< 0.001" : p.toFixed(3);
}
