// Likelihoods of continuations by buckets, against one window at a time through a graph of its very length.

import { describe, expect, it, vi } from "vitest";
import { CachedScorer } from "../../src/eval/cached-scorer.ts";
import { BucketJudge, bucketLengths, plainJudge } from "../../src/eval/judge.ts";
import { fitOf, loglikelihoods, rollingLoglikelihoods } from "../../src/eval/loglikelihood.ts";
import { Scorer } from "../../src/eval/scorer.ts";
import { putAll } from "../../src/runtime/device.ts";
import { lively, logitsGraph, randomTokens, tinyConfig } from "../model/tiny.ts";
import { compile, cpu1 } from "../runtime/program.ts";

const config = tinyConfig([0, 0, 2, 2], "GQA", { context: 40 });
const weights = lively(config, 3);

/** The plain twin: log p of the last `scored` labels, and whether each is the likeliest, by the logits of the whole. */
async function plainly(tokens: readonly number[], scored: number): Promise<{ logprob: number; greedy: boolean }> {
  const inputs = tokens.slice(0, -1);
  using program = await compile(logitsGraph(config, { batch: 1, length: inputs.length }));
  const found = await program.run({
    ...weights,
    tokens: { dtype: "int32", shape: [inputs.length], data: Int32Array.from(inputs) },
  });
  const logits = found.logits?.data as Float32Array;
  let [logprob, greedy] = [0, true];
  for (let at = inputs.length - scored; at < inputs.length; at++) {
    const row = [...logits.slice(at * config.vocab, (at + 1) * config.vocab)];
    const label = tokens[at + 1] as number;
    const norm = Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
    logprob += (row[label] as number) - norm;
    greedy &&= row[label] === Math.max(...row);
  }
  return { logprob, greedy };
}

const someTokens = (length: number, seed: number) => [...randomTokens(config, [length], seed).data];

describe("buckets", () => {
  it("are few, end at the longest, and are powers of two where compiling takes time", () => {
    expect(bucketLengths(100, "fixed")).toEqual([16, 32, 64, 100]);
    expect(bucketLengths(100, "any")).toEqual([16, 24, 32, 48, 64, 96, 100]);
    expect(bucketLengths(8, "fixed")).toEqual([8]);
    expect(bucketLengths(100, "any", 64)).toEqual([64, 96, 100]);
    expect(bucketLengths(100, "any", 1024)).toEqual([100]);
  });

  it("give windows of any lengths back in order, with what each scores alone", async () => {
    using judge = new BucketJudge(cpu1, config, putAll(cpu1, weights));
    const windows = [40, 1, 16, 17, 24, 3, 25, 0, 39].map((length, i) => {
      const tokens = someTokens(length + 1, i);
      return { inputs: tokens.slice(0, -1), labels: tokens.slice(1) };
    });
    const told: number[] = [];
    const judged = await judge.judge(windows, (done) => told.push(done));
    expect(told).toEqual(windows.map((_, i) => i + 1));
    for (const [i, { inputs, labels }] of windows.entries()) {
      const scores = judged[i]?.scores as Float32Array;
      expect(scores).toHaveLength(inputs.length);
      if (inputs.length === 0) continue;
      const { logprob } = await plainly([...inputs, labels.at(-1) as number], inputs.length);
      expect(scores.reduce((sum, x) => sum + x, 0)).toBeCloseTo(logprob, 3);
    }
  });

  it("judge a stream in its order, each window by a program of about its length", async () => {
    const compiled = vi.spyOn(Scorer, "create");
    using judge = new BucketJudge(cpu1, config, putAll(cpu1, weights), { shortest: 8 });
    const windows = Array.from({ length: 300 }, (_, i) => {
      const tokens = someTokens(2 + (i % 9), i);
      return { inputs: tokens.slice(0, -1), labels: tokens.slice(1) };
    });
    const scores: Float32Array[] = [];
    for await (const found of judge.stream.score(windows)) scores.push(found);
    expect(compiled.mock.calls.map(([, , options]) => options?.length).sort()).toEqual([12, 8]);
    expect(scores).toEqual((await judge.judge(windows)).map((one) => one.scores));
    compiled.mockRestore();
  });

  it.each([
    { type: "dynamic", factor: 4, originalContext: 20 },
    { type: "longrope", originalContext: 20, amplitude: 1.1, shortFactors: [1, 1, 1, 1], longFactors: [8, 8, 8, 8] },
  ] as const)("turn positions as the whole context does, by $type too", async (ropeScaling) => {
    const stretched = { ...config, ropeScaling };
    const placed = putAll(cpu1, weights);
    using whole = await Scorer.create(cpu1, stretched);
    using judge = new BucketJudge(cpu1, stretched, placed);
    using cached = await CachedScorer.create(cpu1, stretched, weights, { longest: 8 });
    const windows = [7, 3].map((length, i) => {
      const tokens = someTokens(length + 1, i);
      return { inputs: tokens.slice(0, -1), labels: tokens.slice(1) };
    });
    const [inBuckets, byEngine] = [await judge.judge(windows), plainJudge(cached, 8).judge(windows)];
    let i = 0;
    for await (const scores of whole.with(placed).score(windows)) {
      for (const found of [inBuckets[i], (await byEngine)[i]]) {
        for (const [at, score] of scores.entries()) expect(found?.scores[at]).toBeCloseTo(score, 5);
      }
      i++;
    }
    expect(i).toBe(2);
  });

  it("refuse a window that is longer than the longest", async () => {
    using judge = new BucketJudge(cpu1, config, putAll(cpu1, weights));
    const long = judge.judge([{ inputs: someTokens(41, 1), labels: someTokens(41, 1) }]);
    await expect(long).rejects.toThrow(/41 tokens, at most 40/);
  });
});

describe("continuations", () => {
  const cases = [
    { context: 3, continuation: 2 },
    { context: 1, continuation: 1 },
    { context: 20, continuation: 21 }, // just fits: 40 inputs
    { context: 60, continuation: 5 }, // loses its beginning
    { context: 2, continuation: 40 }, // keeps one token of it
    { context: 4, continuation: 0 },
  ];

  it.each([
    ["the training graph", false],
    ["the engine's arithmetic", true],
  ])("are scored after the context that fits, by %s", async (_, byEngine) => {
    using bucket = new BucketJudge(cpu1, config, putAll(cpu1, weights));
    using cached = await CachedScorer.create(cpu1, config, weights);
    const judge = byEngine ? plainJudge(cached, config.context) : bucket;
    const pairs = cases.map(({ context, continuation }, i) => ({
      context: someTokens(context, i),
      continuation: someTokens(continuation, 100 + i),
    }));
    const found = await loglikelihoods(judge, pairs);
    expect(pairs.map((pair) => fitOf(pair, 40))).toEqual(["whole", "whole", "whole", "cut", "cut", "whole"]);
    for (const [i, { context, continuation }] of pairs.entries()) {
      const all = [...context, ...continuation].slice(-41);
      const right = continuation.length === 0 ? { logprob: 0, greedy: true } : await plainly(all, continuation.length);
      expect(found[i]?.logprob).toBeCloseTo(right.logprob, 3);
      expect(found[i]?.greedy).toBe(right.greedy);
      expect(found[i]?.tokens).toBe(continuation.length);
    }
  });

  it("know what the model would write by itself", async () => {
    using judge = new BucketJudge(cpu1, config, putAll(cpu1, weights));
    const written = [1, 2, 3];
    for (let i = 0; i < 4; i++) {
      const tries = Array.from({ length: config.vocab }, (_, token) => ({ context: written, continuation: [token] }));
      const found = await loglikelihoods(judge, tries);
      expect(found.filter(({ greedy }) => greedy)).toHaveLength(1);
      written.push(found.findIndex(({ greedy }) => greedy));
    }
    const [right, wrong] = await loglikelihoods(judge, [
      { context: written.slice(0, 3), continuation: written.slice(3) },
      {
        context: written.slice(0, 3),
        continuation: [...written.slice(3, -1), ((written.at(-1) as number) + 1) % config.vocab],
      },
    ]);
    expect(right?.greedy).toBe(true);
    expect(wrong?.greedy).toBe(false);
  });

  it("that do not fit are scored in pieces, each token once", async () => {
    using judge = new BucketJudge(cpu1, config, putAll(cpu1, weights));
    const [context, continuation] = [someTokens(7, 1), someTokens(50, 2)];
    expect(fitOf({ context, continuation }, 40)).toBe("pieces");
    const [found] = await loglikelihoods(judge, [{ context, continuation }]);
    const first = await plainly([context.at(-1) as number, ...continuation.slice(0, 40)], 40);
    const second = await plainly(continuation.slice(-41), 10);
    expect(found?.logprob).toBeCloseTo(first.logprob + second.logprob, 3);
    expect(found?.tokens).toBe(50);
  });

  it("of whole texts begin with the prefix", async () => {
    using judge = new BucketJudge(cpu1, config, putAll(cpu1, weights), { longest: 20 });
    const texts = [someTokens(5, 1), someTokens(45, 2)];
    const found = await rollingLoglikelihoods(judge, texts, 7);
    const short = await plainly([7, ...(texts[0] as number[])], 5);
    const long = [
      await plainly([7, ...(texts[1] as number[]).slice(0, 20)], 20),
      await plainly((texts[1] as number[]).slice(19, 40), 20),
      await plainly((texts[1] as number[]).slice(24, 45), 5),
    ];
    expect(found[0]?.logprob).toBeCloseTo(short.logprob, 3);
    expect(found[1]?.logprob).toBeCloseTo(
      long.reduce((sum, { logprob }) => sum + logprob, 0),
      3,
    );
  });
});
