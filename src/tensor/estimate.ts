// What several measurements say of the number behind them: mean, median, spread and count.

/** A mean over `n` runs. `standardError` is undefined for fewer than two: one run says nothing of spread. */
export interface Estimate {
  readonly mean: number;
  readonly standardError: number | undefined;
  readonly n: number;
}

/** The arithmetic mean; NaN of nothing. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The middle one of `values`, the mean of the two in the middle of an even count; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** √(Σ(x − mean)²/(n − 1)/n), or undefined if n < 2. */
export function standardError(values: readonly number[]): number | undefined {
  if (values.length < 2) return undefined;
  const center = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - center) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1) / values.length);
}

/** Mean, standard error and count of `values`. */
export function estimate(values: readonly number[]): Estimate {
  return { mean: mean(values), standardError: standardError(values), n: values.length };
}
