import { describe, expect, it, test } from "vitest";
import { perplexity, rollingWindows, streamLoss } from "../../src/eval/perplexity.ts";
import { Scorer } from "../../src/eval/scorer.ts";
import { namedModel } from "../../src/model/name.ts";
import { initialize } from "../../src/model/parameters.ts";
import { putAll } from "../../src/runtime/device.ts";
import { Random } from "../../src/tensor/random.ts";
import { cpu1, cpu2 } from "../runtime/program.ts";

/** lm-evaluation-harness, `get_rolling_token_windows(…, context_len=1)`, written again from its description. */
function harnessWindows(tokens: number[], prefix: number, longest: number) {
  const windows: { inputs: number[]; predicted: number[] }[] = [];
  if (tokens.length === 0) return windows;
  const first = Math.min(longest, tokens.length);
  windows.push({ inputs: [prefix, ...tokens.slice(0, first - 1)], predicted: tokens.slice(0, first) });
  for (let predicted = first; predicted < tokens.length; ) {
    const count = Math.min(tokens.length - predicted, longest);
    const end = predicted + count;
    windows.push({
      inputs: tokens.slice(Math.max(0, end - longest - 1), end - 1),
      predicted: tokens.slice(end - count, end),
    });
    predicted += count;
  }
  return windows;
}

const model = namedModel("H8-MQA-CLA2", { layers: 4, width: 32, mlpWidth: 64, vocab: 50, context: 16 });
const weights = initialize({ ...model, initStd: 0.3 }, new Random(1));
const random = new Random(2);
const someTokens = (length: number) => Array.from({ length }, () => random.below(50));

describe("rolling windows", () => {
  it("score every token once, with the harness's contexts", () => {
    for (const length of [0, 1, 5, 15, 16, 17, 31, 32, 33, 100]) {
      const tokens = someTokens(length);
      const ours = [...rollingWindows(tokens, 16, 49)];
      const harness = harnessWindows(tokens, 49, 16);
      expect(ours.map(({ labels, scored }) => [...Array.from(labels)].slice(-scored))).toEqual(
        harness.map(({ predicted }) => predicted),
      );
      for (const [i, { inputs }] of ours.entries()) expect(Array.from(inputs)).toEqual(harness[i]?.inputs);
    }
  });
});

test("a book is cut like any document", () => {
  const tokens = Int32Array.from({ length: 1_000_003 }, (_, i) => i % 50);
  const windows = [...rollingWindows(tokens, 1000, 49)];
  expect(windows).toHaveLength(1001);
  expect(windows.reduce((sum, { scored }) => sum + scored, 0)).toBe(1_000_003);
});

describe("perplexity", () => {
  it("is that of every window scored alone, over tokens, bytes and words", async () => {
    const documents = [3, 16, 40, 17].map((length, i) => ({ tokens: someTokens(length), bytes: 10 + i, words: 2 + i }));
    using batched = await Scorer.create(cpu2, model, { batch: 3 });
    using alone = await Scorer.create(cpu1, model, { batch: 1 });
    const found = await perplexity(batched.with(putAll(cpu2, weights)), documents, { context: 16, prefix: 49 });
    let nats = 0;
    for (const { tokens } of documents) {
      for (const window of rollingWindows(tokens, 16, 49)) {
        for await (const scores of alone.with(putAll(cpu1, weights)).score([window])) {
          for (const score of scores.slice(scores.length - window.scored)) nats -= score;
        }
      }
    }
    expect(found.tokens).toBe(76);
    expect(found.loss).toBeCloseTo(nats / 76, 5);
    expect(found.perplexity).toBeCloseTo(Math.exp(nats / 76), 3);
    expect(found.bitsPerByte).toBeCloseTo(nats / Math.LN2 / 46, 4);
    expect(found.wordPerplexity / Math.exp(nats / 14)).toBeCloseTo(1, 4);
  });

  it("is exact for a model that knows nothing: log V for every token", async () => {
    const blank = Object.fromEntries(
      Object.entries(weights).map(([name, tensor]) => [
        name,
        { ...tensor, data: (tensor.data as Float32Array).map(() => 0) },
      ]),
    );
    using scorer = await Scorer.create(cpu1, model);
    const loss = await streamLoss(scorer.with(putAll(cpu1, blank)), [
      { inputs: someTokens(16), labels: someTokens(16) },
    ]);
    expect(loss).toBeCloseTo(Math.log(50), 5);
  });

  it("refuses a window longer than the context", async () => {
    using scorer = await Scorer.create(cpu1, model);
    const long = streamLoss(scorer.with(putAll(cpu1, weights)), [{ inputs: someTokens(17), labels: someTokens(17) }]);
    await expect(long).rejects.toThrow(/17 tokens, at most 16/);
  });
});
