// Where axes begin and end, and which of their values are written. Knows no chart.

import type { Estimate } from "../tensor/estimate.ts";

/** The values' range and `share` of it on either side; at least `least` wide. */
export function padded(values: readonly number[], share: number, least: number): [number, number] {
  if (values.length === 0) return [0, 1];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const pad = Math.max((high - low) * share, (least - (high - low)) / 2);
  return [low - pad, high + pad];
}

/** One standard error to either side of a mean. */
export function ends({ mean, standardError = 0 }: Estimate): [number, number] {
  return [mean - standardError, mean + standardError];
}

/** At most eleven powers of two from 2^low to 2^high. */
export function powersOfTwo(low: number, high: number): number[] {
  const step = Math.ceil((high - low) / 10);
  const first = Math.ceil(low / step) * step;
  return Array.from({ length: Math.floor((high - first) / step) + 1 }, (_, i) => 2 ** (first + i * step));
}

/** Of ascending `rates`, those whose labels have room at `pixels` for each factor of e. */
export function apart(rates: readonly number[], pixels: number): number[] {
  const kept: number[] = [];
  for (const rate of rates) {
    if (kept.length === 0 || Math.log(rate / (kept.at(-1) as number)) * pixels > 48) kept.push(rate);
  }
  return kept;
}
