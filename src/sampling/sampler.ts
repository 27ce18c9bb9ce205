// A sequence's next token from its logits [V], in the order that sampling.ts states. Keeps what that takes: the random
// stream and which tokens have been seen. Knows no batches, text or stopping.

import { InputError } from "../error.ts";
import { Random } from "../tensor/random.ts";
import { Distribution, LARGEST } from "./distribution.ts";
import { type LogProbabilities, logProbabilities } from "./log-probabilities.ts";
import { type Sampling, sampling } from "./sampling.ts";

/** A drawn token; where asked for, log-probabilities under the model's own distribution (logits as given). */
export interface Sampled extends Partial<LogProbabilities> {
  readonly token: number;
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
