// The search for a model's learning rate: which rates are to be tried, and which is best once they are. It is given
// losses and knows no runs.

import { InputError } from "../../error.ts";

/** What is known so far. */
export interface RateSearch {
  /** The rates that are needed, those that are done among them; of a list ascending, of a climb in order. */
  readonly rates: readonly number[];
  /** The best, once all of `rates` are done. */
  readonly best?: number | undefined;
}

/** The mean loss at a rate; NaN where a run diverged, undefined where one is still to be done. */
export type LossAt = (rate: number) => number | undefined;

/** How far beyond its list a best learning rate is looked for. */
const outwardSteps = 3;

/** Looks through a list and, while the best is at an edge, beyond it by the list's own steps. */
export function searchList(list: readonly number[], lossAt: LossAt): RateSearch {
  const rates = [...list].sort((a, b) => a - b);
  for (let step = 0; ; step++) {
    const losses = rates.map(lossAt);
    if (losses.includes(undefined)) return { rates };
    const best = lowest(losses as number[]);
    if (rates.length === 1 || step === outwardSteps) return { rates, best: rates[best] };
    const [low, second] = rates as [number, number];
    const [before, high] = rates.slice(-2) as [number, number];
    if (best === 0) rates.unshift(roundedRate((low * low) / second));
    else if (best === rates.length - 1) rates.push(roundedRate((high * high) / before));
    else return { rates, best: rates[best] };
  }
}

/** The rates of a climb: `start` times powers of `factor`, at most `most` of them. */
export interface Climb {
  readonly start: number;
  readonly factor: number;
  readonly most: number;
}

/**
 * The paper's protocol (§5.1): upward until the loss stops improving. A start that diverges, or that the next rate does
 * not better, is stepped down from until the loss stops improving there.
 * @throws InputError naming the model, if every rate diverges.
 */
export function climb(name: string, { start, factor, most }: Climb, lossAt: LossAt): RateSearch {
  const rates: number[] = [];
  const losses: number[] = [];
  const search = (power: number): number | undefined => {
    rates.push(roundedRate(start * factor ** power));
    const loss = lossAt(rates.at(-1) as number);
    if (loss !== undefined) losses.push(Number.isFinite(loss) ? loss : Number.POSITIVE_INFINITY);
    return losses[rates.length - 1];
  };
  let least = search(0);
  if (least === undefined) return { rates };
  let direction = Number.isFinite(least) ? 1 : -1;
  for (let power = direction; rates.length < most; power += direction) {
    const loss = search(power);
    if (loss === undefined) return { rates };
    if (loss < least) {
      least = loss;
    } else if (direction === 1 && power === 1) {
      [direction, power] = [-1, 0]; // the start is better than what lies above it: look below
    } else if (Number.isFinite(least)) break;
  }
  if (!Number.isFinite(least)) {
    throw new InputError(`study: ${name} diverges at all learning rates down from ${start}; give a lower start`);
  }
  return { rates, best: rates[losses.indexOf(least)] };
}

/** A learning rate and its loss. */
export interface RateLoss {
  readonly rate: number;
  readonly loss: number;
}

/**
 * The lowest point of the parabola through the losses at the best rate and its two neighbours, over the rates' logarithms:
 * the best rate between those that were tried. The best one itself where a neighbour is missing or diverged.
 */
export function parabolaBest(tried: readonly RateLoss[]): RateLoss {
  const sorted = [...tried].sort((a, b) => a.rate - b.rate);
  const best = lowest(sorted.map(({ loss }) => loss));
  const points = [best - 1, best, best + 1].map((i) => [
    Math.log(sorted[i]?.rate ?? Number.NaN),
    sorted[i]?.loss ?? Number.NaN,
  ]);
  const [[x0, y0], [x1, y1], [x2, y2]] = points as [[number, number], [number, number], [number, number]];
  const left = (x1 - x0) * (y1 - y2);
  const right = (x1 - x2) * (y1 - y0);
  const shift = -((x1 - x0) * left - (x1 - x2) * right) / (2 * (left - right));
  if (!Number.isFinite(shift)) return sorted[best] as RateLoss;
  const bend = (y0 - y1) / (x0 - x1) - (y2 - y1) / (x2 - x1); // times x0 − x2, the parabola's second difference
  return { rate: roundedRate(Math.exp(x1 + shift)), loss: y1 - (bend / (x0 - x2)) * shift ** 2 };
}

/** A rate as it is written and compared: four digits. */
export function roundedRate(rate: number): number {
  return Number(rate.toPrecision(4));
}

/** The index of the lowest; what is not finite comes last, of equals the first. */
function lowest(losses: readonly number[]): number {
  const finite = losses.map((loss) => (Number.isFinite(loss) ? loss : Number.POSITIVE_INFINITY));
  return finite.indexOf(Math.min(...finite));
}
