// A sequence's next token from its logits [V], in the order that sampling.ts states. Nothing is sorted: top-k finds its
// candidates by block maxima and quickselect; top-p and the draw find the token at which the probabilities, the likeliest
// token's first, reach a sum, by a histogram and quickselect in one of its cells. Knows no batches, text or stopping.

import { InputError } from "../error.ts";
import { Random } from "../tensor/random.ts";
import { type Sampling, sampling } from "./sampling.ts";

/** A drawn token; where asked for, log-probabilities under the model's own distribution (logits as given). */
export interface Sampled {
  readonly token: number;
  readonly logprob?: number;
  /** The likeliest tokens, likeliest first; none of probability 0. */
  readonly top?: readonly { readonly token: number; readonly logprob: number }[];
}

/** What a sampler needs to know of its sequence. */
export interface SampledSequence {
  readonly vocab: number;
  readonly prompt: Iterable<number>;
}

/** The model gave NaN or +Infinity, or −Infinity for every token. −Infinity for some is legal. */
export class NonFiniteLogitsError extends Error {
  override readonly name = "NonFiniteLogitsError";

  constructor(logits: Float32Array) {
    const wrong = (x: number) => Number.isNaN(x) || x === Number.POSITIVE_INFINITY;
    const count = logits.reduce((sum, x) => sum + Number(wrong(x)), 0);
    const found = count > 0 ? `${count} of ${logits.length} are NaN or Infinity` : `all ${logits.length} are -Infinity`;
    super(
      `logits: ${found}, the first at token ${Math.max(0, logits.findIndex(wrong))}; the model's output is unusable`,
    );
  }
}

/** Draws the tokens of one sequence. What it draws depends on its own options and logits alone, not on its batch. */
export class TokenSampler {
  readonly #options: Sampling;
  readonly #distribution: Distribution;
  readonly #random: Random;
  readonly #bias: readonly (readonly [token: number, bias: number])[];
  readonly #penalises: boolean;
  // Tokens in the prompt or the output and how often in the output; and a token's place in these lists.
  readonly #seen: number[] = [];
  readonly #counts: number[] = [];
  readonly #places = new Map<number, number>();

  constructor(options: Sampling, { vocab, prompt }: SampledSequence) {
    this.#options = sampling(options, vocab);
    this.#distribution = Distribution.of(vocab);
    this.#random = new Random(options.seed).split("sample");
    this.#bias = Object.entries(options.logitBias).map(([token, bias]) => [Number(token), bias]);
    const { repetitionPenalty, presencePenalty, frequencyPenalty } = options;
    this.#penalises = repetitionPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0;
    if (repetitionPenalty !== 1) for (const token of prompt) this.#see(token, 0);
  }

  /**
   * Draws from `logits [V]`, which stay as they are, among the tokens whose bits are set in `allowed [⌈V / 32⌉]`.
   * @throws NonFiniteLogitsError where the logits are no distribution, InputError where `allowed` leaves no token.
   */
  next(logits: Float32Array, allowed?: Int32Array): Sampled {
    const { temperature, logprobs } = this.#options;
    const distribution = this.#distribution;
    let token = distribution.read(this.#adjusted(logits, allowed));
    if (token < 0) throw unusable(logits, allowed);
    if (temperature >= 1e-5) token = distribution.draw(this.#random.uniform(), this.#options);
    if (this.#penalises) this.#see(token, 1);
    return logprobs === undefined ? { token } : { token, ...logProbabilities(logits, token, logprobs) };
  }

  #see(token: number, times: number): void {
    const place = this.#places.get(token);
    if (place !== undefined) {
      this.#counts[place]! += times;
      return;
    }
    this.#places.set(token, this.#seen.length);
    this.#seen.push(token);
    this.#counts.push(times);
  }

  /** Masked, biased, penalised, in float32: a copy, unless there is nothing to do. A NaN stays one. */
  #adjusted(logits: Float32Array, allowed?: Int32Array): Float32Array {
    const row = this.#distribution.copy;
    if (logits.length !== row.length)
      throw new InputError(`logits: has ${logits.length} numbers; the vocabulary has ${row.length} tokens`);
    const [seen, counts] = [this.#seen, this.#counts];
    if (!allowed && this.#bias.length === 0 && seen.length === 0) return logits;
    row.set(logits);
    if (allowed) mask(row, allowed);
    for (const [token, bias] of this.#bias) row[token]! += bias;
    const { repetitionPenalty, presencePenalty, frequencyPenalty } = this.#options;
    for (let place = 0; place < seen.length; place++) {
      const [token, count] = [seen[place]!, counts[place]!];
      let x = row[token]!;
      if (x - x !== 0) continue; // not finite
      x = x > 0 ? x / repetitionPenalty : x * repetitionPenalty;
      if (count > 0) x -= frequencyPenalty * count + presencePenalty;
      row[token] = Math.max(-LARGEST, Math.min(LARGEST, x));
    }
    return row;
  }
}

/** Bars the tokens whose bits are 0; NaN and Infinity must not hide behind that. */
function mask(row: Float32Array, allowed: Int32Array): void {
  const words = Math.ceil(row.length / 32);
  if (allowed.length !== words)
    throw new InputError(`allowed: has ${allowed.length} words of 32 tokens; ${row.length} tokens need ${words}`);
  for (let word = 0; word < words; word++) {
    const bits = allowed[word]!;
    if (bits === -1) continue;
    const end = Math.min(row.length, word * 32 + 32);
    for (let token = word * 32; token < end; token++) {
      if ((bits >>> (token & 31)) & 1) continue;
      if (!(row[token]! < Number.POSITIVE_INFINITY)) throw new NonFiniteLogitsError(row);
      row[token] = Number.NEGATIVE_INFINITY;
    }
  }
}

function unusable(logits: Float32Array, allowed?: Int32Array): Error {
  const finite = logits.every((x) => x < Number.POSITIVE_INFINITY) && logits.some((x) => x > Number.NEGATIVE_INFINITY);
  if (!allowed || !finite) return new NonFiniteLogitsError(logits);
  const count = logits.reduce((sum, _, token) => sum + ((allowed[token >> 5]! >>> (token & 31)) & 1), 0);
  const found = count > 0 ? `only ${count} to which the model gives -Infinity` : "none";
  return new InputError(`allowed: must leave a token to draw; of ${logits.length} tokens it allows ${found}`);
}

/** Log-softmax at `token` and at the `count` likeliest tokens (ties: lower ids first). */
function logProbabilities(logits: Float32Array, token: number, count: number): Omit<Sampled, "token"> {
  let peak = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) if (logits[i]! > peak) peak = logits[i]!;
  const likeliest: number[] = [];
  let [sum, least] = [0, count > 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY];
  for (let i = 0; i < logits.length; i++) {
    const x = logits[i]!;
    sum += power((peak - x) * (STEPS / Math.LN2));
    if (!(x > least)) continue;
    let place = likeliest.length;
    while (place > 0 && logits[likeliest[place - 1]!]! < x) place--;
    likeliest.splice(place, 0, i);
    if (likeliest.length > count) likeliest.pop();
    if (likeliest.length === count) least = logits[likeliest[count - 1]!]!;
  }
  const all = peak + Math.log(sum);
  const logprob = (i: number) => logits[i]! - all;
  return { logprob: logprob(token), top: likeliest.map((i) => ({ token: i, logprob: logprob(i) })) };
}

const BLOCK = 64;
const LARGEST = 3.4028234663852886e38; // of float32
const STEPS = 1024; // 2¹⁰ per power of two
const OCTAVES = 64; // what is 2⁻⁶⁴ as likely as the peak is never drawn: random numbers have 53 bits
const CELLS = 4096; // of the histogram; the last one is open
const FINENESS = 64; // cells per unit of logit
const WHOLES = Float64Array.from({ length: OCTAVES }, (_, n) => 2 ** -n);
const PARTS = Float64Array.from({ length: STEPS }, (_, n) => 2 ** (-n / STEPS));

/** 2^(−steps / STEPS) for steps ≥ 0 to 1e-14 of it, by tables and Taylor; a quarter of Math.exp's time in Node 20. */
function power(steps: number): number {
  if (!(steps < STEPS * OCTAVES)) return 0;
  const whole = steps | 0;
  const x = (whole - steps) * (Math.LN2 / STEPS);
  return WHOLES[whole >> 10]! * PARTS[whole & 1023]! * (1 + x * (1 + x * (1 / 2 + x * (1 / 6))));
}

/** Of a token that far below the likeliest one, as long as it has a weight. */
function cellOf(distance: number): number {
  return Math.min((distance * FINENESS) | 0, CELLS - 1);
}

/** A row of logits as probabilities. Tokens are found by their logit; of equal ones the lowest ids come first. */
class Distribution {
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
      if (!(steps < STEPS * OCTAVES)) continue; // and for a distance of Infinity
      const weight = power(steps);
      sum += weight;
      cells[cellOf(distance)]! += weight;
    }
    return sum;
  }

  /** The logit, and its place among equals, at which the weights, the likeliest first, reach `need`; their sum there. */
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
      if (!(steps < STEPS * OCTAVES) || cellOf(distance) !== cell) continue;
      values[count] = kept[i]!;
      weights[count++] = power(steps);
    }
    return count;
  }
}

/** The greatest of `count` values at which the weights, the greatest value's first, reach `need`; they come first then. */
function select(values: Float32Array, weights: Float64Array, count: number, need: number): number {
  let [low, high, rest] = [0, count - 1, need];
  while (low < high) {
    const pivot = values[(low + high) >>> 1]!;
    let [i, j, sum] = [low, high, 0];
    for (; ; i++, j--) {
      while (values[i]! > pivot) sum += weights[i++]!;
      while (values[j]! < pivot) j--;
      if (i >= j) break;
      const [value, weight] = [values[i]!, weights[i]!];
      [values[i], weights[i]] = [values[j]!, weights[j]!];
      [values[j], weights[j]] = [value, weight];
      sum += weights[i]!;
    }
    if (i === j) sum += weights[j]!; // low … j are at least the pivot, the rest at most
    if (rest <= sum) high = j;
    else [low, rest] = [j + 1, rest - sum];
  }
  return values[low]!;
}
