import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NonFiniteLogitsError, TokenSampler } from "../../src/sampling/sampler.ts";
import { type Sampling, sampling } from "../../src/sampling/sampling.ts";
import { Random } from "../../src/tensor/random.ts";

/**
 * Every step in plain sight, by sorting, in float64; changed logits are float32 again. `point` is the number drawn.
 * Gives one token, or where a sum of probabilities reaches its bound but for rounding, those on both sides.
 */
function twin(logits: Float32Array, options: Sampling, prompt: number[], output: number[], point: number, mask?: Mask) {
  const x = Array.from(logits, (value, token) => (!mask || mask[token] ? value : Number.NEGATIVE_INFINITY));
  for (const [token, bias] of Object.entries(options.logitBias))
    x[Number(token)] = Math.fround((x[Number(token)] as number) + bias);
  const { repetitionPenalty, frequencyPenalty, presencePenalty } = options;
  const penalised = (value: number, token: number) => {
    const count = output.filter((other) => other === token).length;
    const repeated = prompt.includes(token) || count > 0;
    if (!Number.isFinite(value)) return value;
    const scaled = !repeated ? value : value > 0 ? value / repetitionPenalty : value * repetitionPenalty;
    const shifted = scaled - frequencyPenalty * count - (count > 0 ? presencePenalty : 0);
    return Math.fround(Math.max(-3.4028234663852886e38, Math.min(3.4028234663852886e38, shifted)));
  };
  const y = x.map(penalised);
  const order = [...y.keys()].filter((token) => y[token] !== Number.NEGATIVE_INFINITY);
  order.sort((a, b) => (y[b] as number) - (y[a] as number) || a - b);
  if (options.temperature < 1e-5) return new Set(order.slice(0, 1));
  const top = y[order[0] as number] as number;
  const tempered = order.map((token) => ({ token, score: ((y[token] as number) - top) / options.temperature }));
  const likely = tempered
    .filter(({ score }) => score >= Math.log(options.minP)) // probability at least minP of the greatest
    .slice(0, options.topK || undefined)
    .map(({ token, score }) => ({ token, weight: Math.exp(score) }));
  const around = [1 - 1e-12, 1 + 1e-12];
  const nuclei = around.map((slack) => upTo(likely, slack * options.topP * mass(likely)));
  return new Set(nuclei.flatMap((kept) => around.map((slack) => upTo(kept, slack * point * mass(kept)).at(-1)?.token)));
}

type Weighted = { token: number; weight: number }[];
type Mask = readonly boolean[];

function mass(tokens: Weighted): number {
  return tokens.reduce((sum, { weight }) => sum + weight, 0);
}

/** The fewest first tokens that weigh `need` together. */
function upTo(tokens: Weighted, need: number): Weighted {
  let [count, sum] = [0, 0];
  while (count < tokens.length && (count === 0 || sum < need)) sum += tokens[count++]?.weight as number;
  return tokens.slice(0, count);
}

function words(mask: Mask): Int32Array {
  const bits = new Int32Array(Math.ceil(mask.length / 32));
  for (const [token, allowed] of mask.entries()) if (allowed) bits[token >> 5]! |= 1 << (token & 31);
  return bits;
}

/** Draws one token for each row by both and compares them. How often the twin had two answers. */
function expectTwins(rows: Float32Array[], options: Sampling, prompt: number[], mask?: Mask): number {
  const sampler = new TokenSampler(options, { vocab: rows[0]?.length as number, prompt });
  const random = new Random(options.seed).split("sample");
  const output: number[] = [];
  let unsure = 0;
  for (const row of rows) {
    const point = options.temperature < 1e-5 ? 0 : random.uniform();
    const { token } = sampler.next(row, mask && words(mask));
    const expected = twin(row, options, prompt, output, point, mask);
    expect(expected).toContain(token);
    if (expected.size > 1) unsure++;
    output.push(token);
  }
  return unsure;
}

function normals(length: number, scale: number, seed: number): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length }, () => random.normal() * scale);
}

const arrangements: Record<string, (row: Float32Array) => Float32Array> = {
  asIs: (row) => row,
  ascending: (row) => row.sort(),
  descending: (row) => row.sort().reverse(),
  organPipe: (row) => {
    const sorted = Array.from(row.sort());
    return Float32Array.of(...sorted.filter((_, i) => i % 2 === 0), ...sorted.filter((_, i) => i % 2 === 1).reverse());
  },
};

/** Logits smooth, tied, barred, huge or tiny; each row with one logit that is finite. */
function logitsOf(vocab: number) {
  const ordinary = fc.double({ min: -12, max: 12, noNaN: true });
  const tied = fc.integer({ min: -2, max: 2 });
  const barred = fc.oneof({ weight: 3, arbitrary: fc.constant(Number.NEGATIVE_INFINITY) }, ordinary);
  const huge = fc.double({ min: -3e38, max: 3e38, noNaN: true });
  const tiny = fc.double({ min: -1e-30, max: 1e-30, noNaN: true });
  const rows = [ordinary, tied, barred, huge, tiny, fc.oneof(tied, tiny, ordinary)].map((value) =>
    fc.array(value, { minLength: vocab, maxLength: vocab, size: "max" }),
  );
  const exponent = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: -30, max: 37 }));
  return fc
    .tuple(fc.oneof(...rows), exponent, fc.nat(vocab - 1), fc.constantFrom(...Object.keys(arrangements)))
    .map(([values, power, token, arrangement]) => {
      const row = Float32Array.from(values, (x) =>
        Number.isFinite(x) ? Math.max(-3e38, Math.min(3e38, x * 10 ** power)) : x,
      );
      if (!row.some(Number.isFinite)) row[token] = 1;
      return (arrangements[arrangement] as (row: Float32Array) => Float32Array)(row);
    });
}

const share = fc.oneof(fc.constantFrom(0.1, 0.5, 0.9, 0.999, 1), fc.double({ min: 1e-9, max: 1, noNaN: true }));

function optionsOf(vocab: number) {
  const penalty = fc.oneof(fc.constant(0), fc.double({ min: -2, max: 2, noNaN: true }));
  const bias = fc.oneof(fc.constantFrom(-100, 100), fc.double({ min: -5, max: 5, noNaN: true }));
  return fc.record(
    {
      temperature: fc.oneof(
        fc.constantFrom(0, 1e-6, 1e-5, 0.01, 0.7, 1, 2, 100),
        fc.double({ min: 0.1, max: 3, noNaN: true }),
      ),
      topK: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.nat(vocab + 2)),
      topP: share,
      minP: fc.oneof(fc.constant(0), share),
      repetitionPenalty: fc.constantFrom(1, 1.3, 0.7, 1e-3, 50),
      presencePenalty: penalty,
      frequencyPenalty: penalty,
      logitBias: fc.dictionary(fc.nat(vocab - 1).map(String), bias, { maxKeys: 3 }),
      seed: fc.nat(),
    },
    { requiredKeys: [] },
  );
}

describe("token sampler", () => {
  it("draws what its twin draws, token after token", () => {
    const cases = fc.integer({ min: 1, max: 300 }).chain((vocab) =>
      fc.record({
        rows: fc.array(logitsOf(vocab), { minLength: 1, maxLength: 6 }),
        options: optionsOf(vocab).map((options) => sampling(options, vocab)),
        prompt: fc.array(fc.nat(vocab - 1), { maxLength: 8 }),
        mask: fc.option(fc.array(fc.boolean(), { minLength: vocab, maxLength: vocab }), { nil: undefined }),
      }),
    );
    let [draws, unsure] = [0, 0];
    const property = fc.property(cases, ({ rows, options, prompt, mask }) => {
      fc.pre(!mask || rows.every((row) => row.some((x, token) => Number.isFinite(x) && mask[token])));
      unsure += expectTwins(rows, options, prompt, mask);
      draws += rows.length;
    });
    fc.assert(property, { numRuns: 1500, seed: 1 });
    expect(unsure / draws).toBeLessThan(0.02);
  });

  it("and at every scale", () => {
    const rows = Array.from({ length: 780 }, (_, i) => normals(50, 10 ** (i / 10 - 40), i));
    for (const options of [{}, { topP: 0.61, temperature: 3 }, { minP: 0.3, topK: 7 }]) {
      expect(expectTwins(rows, sampling(options), [])).toBe(0);
    }
  });

  it.each([
    {},
    { temperature: 0, frequencyPenalty: 1 },
    { topP: 0.9, temperature: 1 },
    { topP: 0.999, temperature: 5, minP: 1e-4 },
    { topK: 40, topP: 0.95 },
    { topK: 5000, topP: 0.8, repetitionPenalty: 1.2 },
    { topK: 149999, temperature: 100 },
  ])("and with a vocabulary of 150 thousand: %j", (options) => {
    const ties = (row: Float32Array) => row.map((x) => Math.round(x * 4) / 4);
    const rows = [1, 4].map((scale) => normals(150_000, scale, scale));
    expectTwins([...rows, ...rows.map(ties), new Float32Array(150_000)], sampling({ seed: 3, ...options }), [5, 7, 7]);
  });

  it.each([
    [{ temperature: 0.5 }, [1, 2, 3, 4, 5]],
    [{ temperature: 2 }, [1, 2, 3, 4, 5]],
    [{ temperature: 1, topK: 3 }, [3, 4, 5]],
    [{ temperature: 1, topP: 0.8 }, [4, 5]],
    [{ temperature: 1, minP: 0.04 }, [2, 3, 4, 5]],
  ])("draws with the softmax's probabilities: %j", (options, kept) => {
    const logits = Float32Array.of(Number.NEGATIVE_INFINITY, 1, 2, 3, 4, 5);
    const sampler = new TokenSampler(sampling(options), { vocab: 6, prompt: [] });
    const counts = new Float64Array(6);
    for (let i = 0; i < 20_000; i++) counts[sampler.next(logits).token]!++;
    const weights = Array.from(logits, (x, token) => (kept.includes(token) ? Math.exp(x / options.temperature) : 0));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    let chiSquare = 0;
    for (const [token, weight] of weights.entries()) {
      const expected = (20_000 * weight) / total;
      if (expected === 0) expect(counts[token]).toBe(0);
      else chiSquare += ((counts[token] as number) - expected) ** 2 / expected;
    }
    expect(chiSquare).toBeLessThan(18.5); // 0.1 % of such sums are greater, with 4 degrees of freedom
  });

  it("draws the same beside other sequences, and leaves the logits as they are", () => {
    const rows = Array.from({ length: 8 }, (_, i) => normals(500, 2, i));
    const before = rows.map((row) => row.slice());
    const all = [
      { topP: 0.9 },
      { topK: 9, seed: 2 },
      { repetitionPenalty: 2, logitBias: { 3: 9 } },
      { temperature: 0 },
    ];
    const start = (options: Partial<Sampling>) => new TokenSampler(sampling(options), { vocab: 500, prompt: [1, 2] });
    const alone = all.map((options) => {
      const sampler = start(options);
      return rows.map((row) => sampler.next(row).token);
    });
    const together = all.map(start);
    const drawn = rows.map((row) => together.map((sampler) => sampler.next(row).token));
    expect(all.map((_, i) => drawn.map((tokens) => tokens[i]))).toEqual(alone);
    expect(rows).toEqual(before);
    expect(new Set(alone[0]).size).toBeGreaterThan(1);
  });

  it("gives ties to the lowest id and heeds biases, penalties and the mask when greedy", () => {
    const logits = new Float32Array(100).fill(1).fill(2, 70);
    const greedy = (options: Partial<Sampling>, prompt: number[] = []) =>
      new TokenSampler(sampling({ temperature: 0, ...options }), { vocab: 100, prompt });
    const tokens = (sampler: TokenSampler) => [1, 2, 3, 4].map(() => sampler.next(logits).token);
    expect(tokens(greedy({}))).toEqual([70, 70, 70, 70]);
    expect(tokens(greedy({ logitBias: { 70: -100, 9: 100 } }))).toEqual([9, 9, 9, 9]);
    expect(tokens(greedy({ presencePenalty: 0.5 }, [70]))).toEqual([70, 71, 72, 73]);
    expect(tokens(greedy({ frequencyPenalty: 0.25, logitBias: { 50: 1.5 } }))).toEqual([50, 50, 50, 70]);
    expect(tokens(greedy({ repetitionPenalty: 1.5 }, [70, 71]))).toEqual([72, 73, 74, 75]);
    const only = (...allowed: number[]) => words(Array.from({ length: 100 }, (_, token) => allowed.includes(token)));
    expect(greedy({}).next(logits, only(3, 64, 99)).token).toBe(99);
    expect(greedy({ logitBias: { 70: 100 } }).next(logits, only(3, 64)).token).toBe(3);
  });
});

describe("log-probabilities", () => {
  const logits = normals(1000, 3, 5).map((x, i) => (i % 10 === 0 ? Math.round(x) : i % 7 === 0 ? -Infinity : x));
  const peak = logits.reduce((most, x) => Math.max(most, x));
  const norm = peak + Math.log(logits.reduce((sum, x) => sum + Math.exp(x - peak), 0));
  const order = [...logits.keys()].sort((a, b) => (logits[b] as number) - (logits[a] as number) || a - b);

  it.each([0, 1, 5, 20])("are the model's own: of the token drawn and the %i likeliest", (logprobs) => {
    const options = sampling({ logprobs, temperature: 0.3, repetitionPenalty: 3, logitBias: { 4: 50 }, topK: 2 });
    const sampler = new TokenSampler(options, { vocab: 1000, prompt: order.slice(0, 3) });
    const mask = new Int32Array(32).fill(-1).fill(0, 8);
    const { token, logprob, top } = sampler.next(logits, mask);
    expect(token).toBe(4);
    expect(logprob).toBeCloseTo((logits[4] as number) - norm, 12);
    expect(top?.map((other) => other.token)).toEqual(order.slice(0, logprobs));
    for (const other of top ?? []) expect(other.logprob).toBeCloseTo((logits[other.token] as number) - norm, 12);
  });

  it("are not there unless asked for, nor for what is impossible", () => {
    const context = { vocab: 3, prompt: [] };
    const few = Float32Array.of(0, Number.NEGATIVE_INFINITY, 0);
    expect(new TokenSampler(sampling({ temperature: 0 }), context).next(few)).toEqual({ token: 0 });
    const { top } = new TokenSampler(sampling({ logprobs: 3 }), context).next(few);
    const half = expect.closeTo(-Math.LN2, 12);
    expect(top).toEqual([0, 2].map((token) => ({ token, logprob: half })));
  });
});

describe("unusable logits", () => {
  const all = [{ temperature: 0 }, { temperature: 1 }, { topK: 2 }, { topP: 0.5, repetitionPenalty: 1.5 }];
  const start = (options: Partial<Sampling>) =>
    new TokenSampler(sampling(options), { vocab: 131, prompt: Array.from({ length: 131 }, (_, token) => token) });

  it("are refused wherever a NaN or Infinity is, allowed or not", () => {
    for (const options of all) {
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
        for (let token = 0; token < 131; token++) {
          const logits = normals(131, 1, 1);
          logits[token] = bad;
          expect(() => start(options).next(logits)).toThrow(NonFiniteLogitsError);
          expect(() =>
            start(options).next(
              logits,
              words(
                logits
                  .join()
                  .split(",")
                  .map((_, i) => i !== token),
              ),
            ),
          ).toThrow(`logits: 1 of 131 are NaN or Infinity, the first at token ${token}`);
        }
      }
    }
  });

  it("are refused where nothing is possible", () => {
    const none = new Float32Array(131).fill(Number.NEGATIVE_INFINITY);
    for (const options of all) {
      expect(() => start(options).next(none)).toThrow(/all 131 are -Infinity/);
      expect(() => start(options).next(none, new Int32Array(5).fill(-1))).toThrow(NonFiniteLogitsError);
    }
    expect(() => start({}).next(new Float32Array(131), new Int32Array(5))).toThrow(/of 131 tokens it allows none/);
    const one = none.with(7, 0);
    expect(() => start({}).next(one, Int32Array.of(6, 0, 0, 0, 0))).toThrow(/allows only 2 to which .* -Infinity/);
    expect(start({}).next(one, Int32Array.of(128, 0, 0, 0, 0)).token).toBe(7);
  });

  it("are refused with other sizes than the vocabulary's", () => {
    expect(() => start({}).next(new Float32Array(130))).toThrow(/has 130 numbers; the vocabulary has 131 tokens/);
    expect(() => start({}).next(new Float32Array(131), new Int32Array(4))).toThrow(/has 4 words .* 131 tokens need 5/);
  });
});

describe("sampling options", () => {
  it("have defaults that change nothing but the temperature", () => {
    expect(sampling()).toEqual({
      temperature: 0.8,
      topK: 0,
      topP: 1,
      minP: 0,
      repetitionPenalty: 1,
      presencePenalty: 0,
      frequencyPenalty: 0,
      logitBias: {},
      logprobs: undefined,
      seed: 0,
    });
  });

  it.each<[Partial<Sampling>, string]>([
    [{ temperature: -1 }, "temperature: must be from 0 (the most likely token) to 100, found -1"],
    [{ temperature: Number.NaN }, "temperature: must be from 0"],
    [{ topK: 1.5 }, "top-k: must be a whole number from 0 (off), found 1.5"],
    [{ topP: 0 }, "top-p: must be above 0 and at most 1 (off), found 0"],
    [{ minP: 1.1 }, "min-p: must be from 0 (off) to 1, found 1.1"],
    [{ repetitionPenalty: 0 }, "repetition-penalty: must be a number above 0; 1 is off, found 0"],
    [{ repetitionPenalty: Number.POSITIVE_INFINITY }, "repetition-penalty: must be"],
    [{ presencePenalty: 2.1 }, "presence-penalty: must be from -2 to 2; 0 is off, found 2.1"],
    [{ frequencyPenalty: -3 }, "frequency-penalty: must be from -2 to 2"],
    [{ logitBias: { 5: 101 } }, "logit-bias: must be from -100 to 100, found 101 for token 5"],
    [{ logitBias: { 10: 1 } }, 'logit-bias: must be for token ids from 0 to 9, found token "10"'],
    [{ logitBias: { the: 1 } as never }, 'found token "the"'],
    [{ logprobs: 21 }, "logprobs: must be a whole number from 0 to 20, found 21"],
    [{ seed: 0.5 }, "seed: must be a whole number"],
  ])("are refused out of range: %j", (options, message) => {
    expect(() => sampling(options, 10)).toThrow(message);
  });
});
