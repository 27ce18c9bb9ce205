// Means, their standard errors, and differences paired by seed. Runs of one seed see the same data in the same order, so
// pairing takes out what they share. Knows nothing of why models differ.

import { InputError } from "../../error.ts";
import { type Estimate, estimate, mean } from "../../tensor/estimate.ts";
import { type Result, reported } from "./result.ts";
import { tQuantile } from "./student.ts";

/**
 * `of(a) − of(b)` over the seeds that both have, and its standard error. `n` is 0 and the mean NaN if they share none.
 * @throws InputError if a side has a seed twice, for then runs of different settings are mixed.
 */
export function pairedDifference(
  a: readonly Result[],
  b: readonly Result[],
  of: (result: Result) => number = (result) => reported(result).loss,
): Estimate {
  const [left, right] = [bySeed(a), bySeed(b)];
  const pairs = [...left].flatMap(([seed, one]) => {
    const other = right.get(seed);
    return other ? [of(one) - of(other)] : [];
  });
  return estimate(pairs);
}

/** How many standard errors a mean of `n` must lie from zero: Student's t at 95 %, and never under 2. */
export function separatingErrors(n: number): number {
  if (n < 2) return Number.POSITIVE_INFINITY;
  return Math.max(2, tQuantile(0.975, n - 1));
}

/**
 * Whether a paired difference is told from zero. Never for one run, never within two standard errors; for few runs the
 * bar is higher (4.3 for three). A spread of exactly zero means the seeds changed nothing, and tells nothing.
 */
export function separates({ mean, standardError, n }: Estimate): boolean {
  if (standardError === undefined || !(standardError > 0)) return false;
  return Math.abs(mean) > separatingErrors(n) * standardError;
}

/** Runs by learning rate, ascending. */
export function byLearningRate(results: readonly Result[]): Map<number, Result[]> {
  const rates = [...new Set(results.map(({ learningRate }) => learningRate))].sort((a, b) => a - b);
  return new Map(rates.map((rate) => [rate, results.filter(({ learningRate }) => learningRate === rate)]));
}

/**
 * The learning rate of the lowest mean validation loss among one model's runs. Rates are compared on the seeds that all
 * of them have, where there are such: a rate tried with one seed would else win or lose by that seed's luck. A rate at
 * which any run diverged comes after all others; of equals the lower is taken.
 */
export function bestLearningRate(results: readonly Result[]): number {
  const rates = byLearningRate(results);
  const groups = [...rates.values()];
  const shared = new Set((groups[0] ?? []).map(({ seed }) => seed));
  for (const runs of groups) {
    for (const seed of shared) if (!runs.some((run) => run.seed === seed)) shared.delete(seed);
  }
  let best: { rate: number; loss: number } | undefined;
  for (const [rate, runs] of rates) {
    const compared = shared.size > 0 ? runs.filter(({ seed }) => shared.has(seed)) : runs;
    const diverged = runs.some(({ validation }) => !Number.isFinite(validation.loss));
    const loss = diverged ? Number.POSITIVE_INFINITY : mean(compared.map(({ validation }) => validation.loss));
    if (!best || loss < best.loss) best = { rate, loss };
  }
  if (!best) throw new InputError("best learning rate: found no results; a model needs at least one run");
  return best.rate;
}

function bySeed(results: readonly Result[]): Map<number, Result> {
  const found = new Map<number, Result>();
  for (const result of results) {
    if (found.has(result.seed)) {
      throw new InputError(
        `paired difference: ${result.name} has seed ${result.seed} twice; compare runs of one learning rate`,
      );
    }
    found.set(result.seed, result);
  }
  return found;
}
