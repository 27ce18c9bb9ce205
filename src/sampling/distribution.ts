// One row of logits [V] as probabilities, and a draw from what min-p, top-k and top-p leave of them. Nothing is sorted:
// top-k finds its candidates by block maxima and quickselect. Top-p and the draw add probabilities up from the likeliest
// token and find the token that reaches a sum, by a histogram and quickselect in one of its cells. Knows no sequences.

import { select } from "./quickselect.ts";
import type { Sampling } from "./sampling.ts";

const BLOCK = 64;
export const LARGEST = 3.4028234663852886e38; // of float32
const CELLS = 4096; // of the histogram; the last one is open
const FINENESS = 64; // cells per unit of logit
const STEPS = 1024; // 2¹⁰ per power of two
const OCTAVES = 64; // what is 2⁻⁶⁴ as likely as the peak is never drawn: random numbers have 53 bits
const REACH = STEPS * OCTAVES;
const WHOLES = Float64Array.from({ length: OCTAVES }, (_, n) => 2 ** -n);
const PARTS = Float64Array.from({ length: STEPS }, (_, n) => 2 ** (-n / STEPS));

/** 2^(−steps / STEPS) for steps ≥ 0 to 1e-14 of it, by tables and Taylor; a quarter of Math.exp's time in Node 20. */
function power(steps: number): number {
  if (!(steps < REACH)) return 0;
  const whole = steps | 0;
  const x = (whole - steps) * (Math.LN2 / STEPS);
  return WHOLES[whole >> 10]! * PARTS[whole & 1023]! * (1 + x * (1 + x * (1 / 2 + x * (1 / 6))));
}

/** e^x for x ≤ 0. (Exporting what the loops below use would keep V8 from taking it for constant: twice the time.) */
export function exponential(x: number): number {
  return power(-x * (STEPS / Math.LN2));
}

/** Of a token that far below the likeliest one, as long as it has a weight. */
function cellOf(distance: number): number {
  return Math.min((distance * FINENESS) | 0, CELLS - 1);
}

/** A row of logits as probabilities. Tokens are found by their logit; of equal ones the lowest ids come first. */
export class Distribution {
  static readonly #ofVocab = new Map<number, Distribution>();
  /** Room for a changed row. */
  readonly copy: Float32Array;
  #row: Float32Array;
  readonly #peaks: Float32Array; // the greatest logit of each block
  #peak = 0;
  #scale = 0; // steps per unit of logit
  // What min-p and top-k leave: the row, or the first `size` of `chosen`.
  #kept: Float32Array;
  #size = 0;
  readonly #chosen: Float32Array;
  readonly #cells = new Float64Array(CELLS); // weights by distance from the peak
  readonly #values: Float32Array; // one cell's logits and weights
  readonly #weights: Float64Array;

  constructor(vocab: number) {
    this.copy = this.#row = this.#kept = new Float32Array(vocab);
    this.#peaks = new Float32Array(Math.ceil(vocab / BLOCK));
    this.#chosen = new Float32Array(vocab);
    this.#values = new Float32Array(vocab);
    this.#weights = new Float64Array(vocab);
  }

  /** The one of this size: samplers run one after another, so a thread needs no more. */
  static of(vocab: number): Distribution {
    const found = Distribution.#ofVocab.get(vocab) ?? new Distribution(vocab);
    Distribution.#ofVocab.set(vocab, found);
    return found;
  }

  /** Takes a row. The most likely token, or −1 if the logits are no distribution. */
  read(row: Float32Array): number {
    const peaks = this.#peaks;
    let best = Number.NEGATIVE_INFINITY;
    let bestBlock = 0;
    for (let block = 0, i = 0; block < peaks.length; block++) {
      const end = Math.min(i + BLOCK, row.length);
      let peak = Number.NEGATIVE_INFINITY;
      for (; i < end; i++) {
        // One branch for four tokens; NaN takes it too.
        if (i + 3 < end && row[i]! <= peak && row[i + 1]! <= peak && row[i + 2]! <= peak && row[i + 3]! <= peak) i += 3;
        else if (!(row[i]! <= peak)) {
          peak = row[i]!;
          if (!(peak < Number.POSITIVE_INFINITY)) return -1;
        }
      }
      peaks[block] = peak;
      if (peak > best) {
        best = peak;
        bestBlock = block;
      }
    }
    this.#row = row;
    this.#peak = best;
    return best === Number.NEGATIVE_INFINITY ? -1 : row.indexOf(best, bestBlock * BLOCK);
  }

  /** The token of the row read at `point` of 1 of the probability that is left, the likeliest token first. */
  draw(point: number, { temperature, minP, topK, topP }: Sampling): number {
    this.#scale = STEPS / Math.LN2 / temperature;
    const vocab = this.#row.length;
    this.#keep(this.#peak + Math.log(minP) * temperature, topK > 0 ? Math.min(topK, vocab) : vocab);
    let mass = this.#weigh();
    if (topP < 1) mass = this.#find(topP * mass).mass;
    const { value, place } = this.#find(point * mass);
    const row = this.#row;
    for (let token = 0, equals = 0; token < vocab; token++)
      if (row[token] === value && ++equals === place) return token;
    throw new Error(`no token has the logit ${value} drawn ${place} times`);
  }

  /** Keeps the `most` likeliest tokens of those with logits from `least` up. */
  #keep(least: number, most: number): void {
    const [row, peaks, chosen, weights] = [this.#row, this.#peaks, this.#chosen, this.#weights];
    this.#kept = row;
    this.#size = row.length;
    if (least === Number.NEGATIVE_INFINITY && most === row.length) return;
    let floor = Math.max(least, -LARGEST);
    if (most <= peaks.length) {
      chosen.set(peaks);
      weights.fill(1, 0, peaks.length);
      floor = Math.max(floor, select(chosen, weights, peaks.length, most)); // reached by as many blocks, so tokens
    }
    let size = 0;
    for (let block = 0; block < peaks.length; block++) {
      if (peaks[block]! < floor) continue;
      const end = Math.min(row.length, (block + 1) * BLOCK);
      for (let i = block * BLOCK; i < end; i++) if (row[i]! >= floor) chosen[size++] = row[i]!;
    }
    if (size > most) {
      weights.fill(1, 0, size);
      select(chosen, weights, size, most);
    }
    this.#kept = chosen;
    this.#size = Math.min(size, most);
  }

  /** The kept tokens' weights (the likeliest token's is 1), in all and by distance from the peak. */
  #weigh(): number {
    const [kept, size, peak, scale] = [this.#kept, this.#size, this.#peak, this.#scale];
    const cells = this.#cells.fill(0);
    let sum = 0;
    for (let i = 0; i < size; i++) {
      const distance = peak - kept[i]!;
      const steps = distance * scale;
      if (!(steps < REACH)) continue; // and for a distance of Infinity
      const weight = power(steps);
      sum += weight;
      cells[cellOf(distance)]! += weight;
    }
    return sum;
  }

  /** The logit, and its place among equals, at which weights, the likeliest first, reach `need`; their sum there. */
  #find(need: number): { value: number; place: number; mass: number } {
    const [cells, values, weights] = [this.#cells, this.#values, this.#weights];
    let cell = 0;
    let above = 0;
    for (let next = 1; next < CELLS && above + cells[cell]! < need; next++) {
      if (cells[next] === 0) continue;
      above += cells[cell]!;
      cell = next;
    }
    const size = this.#list(cell);
    const value = select(values, weights, size, need - above);
    let equals = 0;
    let weight = 0;
    for (let i = 0; i < size; i++) {
      if (values[i]! > value) above += weights[i]!;
      else if (values[i] === value) {
        equals++;
        weight = weights[i]!;
      }
    }
    const place = Math.min(equals, Math.max(1, Math.ceil((need - above) / weight)));
    return { value, place, mass: above + place * weight };
  }

  /** Lists the kept logits and weights of one cell. */
  #list(cell: number): number {
    const [kept, size, peak, scale] = [this.#kept, this.#size, this.#peak, this.#scale];
    const [values, weights] = [this.#values, this.#weights];
    // One branch, seldom taken, for both sides; the last cell is open.
    const middle = (cell + 0.5) / FINENESS;
    const reach = cell === CELLS - 1 ? Number.POSITIVE_INFINITY : 0.5 / FINENESS;
    let count = 0;
    for (let i = 0; i < size; i++) {
      const distance = peak - kept[i]!;
      if (Math.abs(distance - middle) > reach) continue;
      const steps = distance * scale;
      if (!(steps < REACH) || cellOf(distance) !== cell) continue;
      values[count] = kept[i]!;
      weights[count++] = power(steps);
    }
    return count;
  }
}
