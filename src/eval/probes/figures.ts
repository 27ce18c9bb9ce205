// Means of probes with their standard errors. Knows no models.

import { estimate } from "../../tensor/estimate.ts";

/** A mean; its standard error is absent where one window or question says nothing of spread. */
export interface ProbeFigure {
  readonly value: number;
  readonly standardError?: number | undefined;
}

/** The mean over questions. */
export function meanLoss(values: readonly number[]): ProbeFigure {
  const { mean: value, standardError } = estimate(values);
  return { value, standardError };
}

/**
 * Σ sums / Σ counts over windows, with the error of a ratio of sums over independent windows: tokens of one window are not
 * independent. NaN where nothing was counted.
 */
export function ratio(windows: readonly (readonly [sum: number, count: number])[]): ProbeFigure {
  const [sum, count] = windows.reduce(([a, b], [x, y]) => [a + x, b + y], [0, 0] as [number, number]);
  const value = sum / count;
  const n = windows.length;
  if (n < 2 || count === 0) return { value };
  const squares = windows.reduce((all, [x, y]) => all + (x - value * y) ** 2, 0);
  return { value, standardError: Math.sqrt((n / (n - 1)) * squares) / count };
}
