import { describe, expect, it } from "vitest";
import { Decoder } from "../../src/engine/decoder.ts";
import { generate } from "../../src/engine/generation.ts";
import { KvCache } from "../../src/engine/kv-cache.ts";
import { sample, sampling } from "../../src/engine/sampler.ts";
import { Scorer } from "../../src/eval/scorer.ts";
import { modelConfig } from "../../src/model/config.ts";
import { kvBytesPerToken } from "../../src/model/cost.ts";
import { namedModel } from "../../src/model/name.ts";
import { initialize, parameters } from "../../src/model/parameters.ts";
import { allSharings } from "../../src/model/sharing.ts";
import { Random } from "../../src/tensor/random.ts";

const family = { layers: 4, width: 32, mlpWidth: 64, vocab: 30, context: 24 };
const model = namedModel("H8-MQA-CLA2", family);
const weights = initialize({ ...model, initStd: 0.4 }, new Random(7));

async function collect(prompt: number[], options: Partial<Parameters<typeof generate>[2]>) {
  using decoder = await Decoder.create(model, weights, { threads: 1 });
  const ids: number[] = [];
  const tokens = generate(decoder, prompt, { endOfText: -1, ...options });
  for (;;) {
    const next = await tokens.next();
    if (next.done) return { ids, reason: next.value };
    ids.push(next.value);
  }
}

describe("KV cache", () => {
  it("takes the closed form's bytes for every sharing of 4 layers, and no borrower has a row", () => {
    for (const sharing of allSharings(4)) {
      for (const kvHeads of [1, 2, 4]) {
        const config = modelConfig({ ...family, heads: 4, headDim: 8, kvHeads, sharing });
        const cache = new KvCache(config, 10);
        expect(cache.bytes).toBe(10 * kvBytesPerToken(config, "float32"));
        const rows = Object.keys(cache.feeds).map((name) => Number(name.split(".")[1]));
        expect(new Set(rows)).toEqual(new Set(sharing));
      }
    }
  });

  it("refuses tokens beyond its capacity", () => {
    const cache = new KvCache(model, 2);
    expect(() => cache.append({}, 3)).toThrow(/0 \+ 3 tokens exceed its capacity of 2/);
  });
});

describe("generation", () => {
  it("greedily takes the tokens that full forward passes find likeliest", async () => {
    using scorer = await Scorer.create(model, { threads: 1, batch: 30 });
    const prompt = [1, 5, 9];
    const expected: number[] = [];
    for (let i = 0; i < 12; i++) {
      const inputs = [...prompt, ...expected];
      const windows = Array.from({ length: 30 }, (_, token) => ({ inputs, labels: [...inputs.slice(1), token] }));
      const last: number[] = [];
      for await (const scores of scorer.score(weights, windows)) last.push(scores.at(-1) as number);
      expected.push(last.indexOf(Math.max(...last)));
    }
    const { ids, reason } = await collect(prompt, { temperature: 0, maxTokens: 12 });
    expect(ids).toEqual(expected);
    expect(reason).toBe("length");
  });

  it("is fixed by its seed, fills the context and no more", async () => {
    const one = await collect([2], { seed: 1, temperature: 1 });
    expect(one.ids).toHaveLength(23);
    expect(await collect([2], { seed: 1, temperature: 1 })).toEqual(one);
    expect((await collect([2], { seed: 2, temperature: 1 })).ids).not.toEqual(one.ids);
  });

  it("stops at the end of text", async () => {
    const { ids } = await collect([2], { temperature: 0, maxTokens: 3 });
    const stopped = await collect([2], { temperature: 0, endOfText: ids[2] as number });
    expect(stopped).toEqual({ ids: ids.slice(0, ids.indexOf(ids[2] as number)), reason: "stop" });
  });

  it("refuses a prompt that leaves no room", async () => {
    await expect(collect(new Array<number>(24).fill(1), {})).rejects.toThrow(/24 tokens; the model's context of 24/);
  });

  it("has no weights for borrowers' keys and values", () => {
    expect(
      parameters(model)
        .map(({ name }) => name)
        .filter((name) => /layers\.[13]\.attn\.(k|v)/.test(name)),
    ).toEqual([]);
  });
});

describe("sampling", () => {
  const scores = Float32Array.of(0, 1, 2, 3);
  const frequencies = (options: Parameters<typeof sampling>[0]) => {
    const random = new Random(1);
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 20000; i++) counts[sample(scores, sampling(options), random)]!++;
    return counts.map((count) => count / 20000);
  };
  const softmax = (values: number[], temperature: number) => {
    const powers = values.map((value) => Math.exp(value / temperature));
    const total = powers.reduce((sum, power) => sum + power, 0);
    return powers.map((power) => power / total);
  };

  it("draws with the softmax's probabilities at a temperature", () => {
    for (const temperature of [0.5, 1, 2]) {
      const expected = softmax([0, 1, 2, 3], temperature);
      for (const [i, found] of frequencies({ temperature }).entries())
        expect(Math.abs(found - (expected[i] as number))).toBeLessThan(0.015);
    }
  });

  it("keeps the k likeliest, or the least set of probability p", () => {
    expect(frequencies({ temperature: 1, topK: 2 }).slice(0, 2)).toEqual([0, 0]);
    expect(frequencies({ temperature: 1, topP: 0.6 })).toEqual([0, 0, 0, 1]);
    expect(frequencies({ temperature: 1, topP: 0.7 }).map((share) => share > 0)).toEqual([false, false, true, true]);
  });

  it("refuses options out of range", () => {
    expect(() => sampling({ temperature: -1 })).toThrow(/temperature: must be from 0/);
    expect(() => sampling({ topP: 0 })).toThrow(/top-p/);
    expect(() => sampling({ topK: 1.5 })).toThrow(/top-k/);
  });
});
