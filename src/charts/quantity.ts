// Quantities as people read them: counts, bytes, durations, a mean with its standard error. Knows no table and no page.

import type { Estimate } from "../tensor/estimate.ts";

const number = (value: number, options: Intl.NumberFormatOptions = {}) =>
  new Intl.NumberFormat("en-US", options).format(value);

/** A whole number with separators: `20,480`. */
export function integerText(value: number): string {
  return number(value, { maximumFractionDigits: 0 });
}

/** A count in three significant digits: `850M`, `1.25K`, `12`. */
export function countText(value: number): string {
  for (const [unit, size] of [
    ["B", 1e9],
    ["M", 1e6],
    ["K", 1e3],
  ] as const) {
    if (value >= size * 0.9995) return `${number(value / size, { maximumSignificantDigits: 3 })}${unit}`;
  }
  return number(value, { maximumSignificantDigits: 3 });
}

/** Bytes in binary units: `512 B`, `1.5 KiB`, `40 MiB`. */
export function bytesText(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  return `${number(value / 1024 ** power, { maximumSignificantDigits: 4 })} ${units[power]}`;
}

/** Seconds as `0.8 s`, `42 s`, `3 min 20 s`, `2 h 5 min`. */
export function durationText(seconds: number): string {
  if (seconds < 10) return `${number(seconds, { maximumFractionDigits: 1 })} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const [size, big, small, step] = whole < 3600 ? ([60, "min", "s", 1] as const) : ([3600, "h", "min", 60] as const);
  const rest = Math.floor((whole % size) / step);
  return `${Math.floor(whole / size)} ${big}${rest > 0 ? ` ${rest} ${small}` : ""}`;
}

/** A learning rate as people write it: `0.003`, `2.25e-4`. */
export function rateText(rate: number): string {
  return rate >= 0.001 ? String(Number(rate.toPrecision(3))) : rate.toExponential(2).replace(/\.?0+e/, "e");
}

/** `13.54 ± 0.02`, `13.54` of one run, `diverged` if the mean is not a number. */
export function estimateText({ mean, standardError }: Estimate, digits = 2): string {
  if (!Number.isFinite(mean)) return "diverged";
  return mean.toFixed(digits) + (standardError === undefined ? "" : ` ± ${standardError.toFixed(digits)}`);
}

/** As `estimateText`, with a sign even if positive: `+0.0032 ± 0.0010`, `−0.31`. */
export function differenceText(estimate: Estimate, digits = 4): string {
  const text = estimateText(estimate, digits);
  return text.startsWith("-") ? `−${text.slice(1)}` : estimate.mean >= 0 ? `+${text}` : text;
}

/** A difference with its sign: `+0.0032`, `−0.31`. */
export function signedText(value: number, digits = 4): string {
  return differenceText({ mean: value, standardError: undefined, n: 1 }, digits);
}

/** How much larger a number is than another, as a share of it: `4.5% more`, `2.3% fewer`. */
export function moreText(share: number): string {
  return `${(Math.abs(share) * 100).toFixed(1)}% ${share > 0 ? "more" : "fewer"}`;
}

/** A signed interval: `−0.0120 to +0.0040`. */
export function intervalText([low, high]: readonly [number, number], digits = 4): string {
  return `${signedText(low, digits)} to ${signedText(high, digits)}`;
}
