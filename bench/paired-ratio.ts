// What pairs of measurements say of the ratio behind them. The median and its interval by order statistics: an interrupted
// measurement is far off, and would carry a mean away with it.

import { median } from "../src/tensor/estimate.ts";

/** A ratio with its interval. */
export interface Ratio {
  readonly ratio: number;
  /** The ratio lies between these with a confidence of 95 % at least. */
  readonly low: number;
  readonly high: number;
}

/**
 * The median of b/a over pairs. The interval reaches from the k-th least to the k-th largest, k as large as the binomial
 * distribution of how many lie below the median allows; of fewer than six pairs no interval holds with 95 %: it is 0 to ∞.
 */
export function pairedRatio(pairs: readonly (readonly [a: number, b: number])[]): Ratio {
  const ratios = pairs.map(([a, b]) => b / a).sort((x, y) => x - y);
  const n = ratios.length;
  let below = 0; // probability that fewer than k + 1 of n lie below the median
  let term = 2 ** -n;
  let k = 0;
  while (below + term <= 0.025) {
    below += term;
    term *= (n - k) / (k + 1);
    k++;
  }
  return { ratio: median(ratios), low: ratios[k - 1] ?? 0, high: ratios[n - k] ?? Number.POSITIVE_INFINITY };
}
