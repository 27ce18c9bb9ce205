// How an item's values become a task's figures, with the standard errors that lm-evaluation-harness gives. Knows no tasks.

import { estimate, mean } from "../../tensor/estimate.ts";
import { Random } from "../../tensor/random.ts";

/** A figure of a task. Its standard error is absent where the harness gives none, and of a single item. */
export interface Figure {
  readonly value: number;
  readonly standardError?: number | undefined;
}

/** All items' values of a metric to its figure. */
export type Aggregate = (values: readonly (readonly number[])[]) => Figure;

/** The mean; its error is the sample's deviation / √n. */
export const meanOf: Aggregate = (values) => {
  const { mean: value, standardError } = estimate(values.map(([value]) => value as number));
  return { value, standardError };
};

/** Resamples of a bootstrap; the harness takes ten times as many, which moves the error's third digit. */
const resamples = 10_000;

/** exp(−mean); its error is the deviation of that over resamples of the items (the harness's bootstrap). */
export const perplexityOf: Aggregate = (values) => {
  const data = Float64Array.from(values, ([value]) => value as number);
  const value = Math.exp(-mean([...data]));
  if (data.length < 2) return { value };
  const random = new Random(data.length);
  let [count, center, squares] = [0, 0, 0]; // Welford's
  for (let i = 0; i < resamples; i++) {
    let sum = 0;
    for (let j = 0; j < data.length; j++) sum += data[random.below(data.length)] as number;
    const drawn = Math.exp(-sum / data.length);
    count++;
    const off = drawn - center;
    center += off / count;
    squares += off * (drawn - center);
  }
  return { value, standardError: Math.sqrt(squares / (count - 1)) };
};

/** exp(−Σ likelihoods / Σ sizes), as of words or bytes. */
export const perUnit: Aggregate = (values) => ({ value: Math.exp(-weighted(values)) });

/** −Σ likelihoods / Σ bytes, in bits. */
export const byteBits: Aggregate = (values) => ({ value: -weighted(values) / Math.LN2 });

function weighted(values: readonly (readonly number[])[]): number {
  const sum = (at: number) => values.reduce((all, value) => all + (value[at] as number), 0);
  return sum(0) / sum(1);
}

/** The mean over subsets, each counted alike; its error is √Σ error² / subsets. */
export function meanOfFigures(figures: readonly Figure[]): Figure {
  const value = figures.reduce((sum, figure) => sum + figure.value, 0) / figures.length;
  const errors = figures.map(({ standardError }) => standardError);
  if (errors.some((error) => error === undefined)) return { value };
  return { value, standardError: Math.hypot(...(errors as number[])) / figures.length };
}
