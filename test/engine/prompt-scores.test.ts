// Log-probabilities of prompts, against the full forward, whatever is computed beside them and however they are cut.

import { expect, test } from "vitest";
import { type CoreRequest, EngineCore } from "../../src/engine/core.ts";
import type { ScoredToken } from "../../src/engine/prompt-scores.ts";
import { kvBytesPerToken } from "../../src/model/cost.ts";
import { lively, logitsGraph, randomTokens, tinyConfig } from "../model/tiny.ts";
import { compile, cpu1 } from "../runtime/program.ts";

const config = tinyConfig([0, 0, 2, 2], "GQA", { context: 64 });
const weights = lively(config, 2);
const prompt = (length: number, seed: number) => [...randomTokens(config, [length], seed).data];

function create(blocks: number) {
  const options = {
    kvMemory: blocks * 4 * kvBytesPerToken(config, "float32"),
    blockSize: 4,
    chunk: 8,
    maxSequences: 8,
  };
  return EngineCore.create(cpu1, config, weights, options);
}

interface Found {
  tokens: number[];
  prompt?: readonly ScoredToken[];
  ending?: { token: number; logprob?: number };
}

async function run(core: EngineCore, requests: readonly CoreRequest[]): Promise<Found[]> {
  const ids = requests.map((request) => core.add(request));
  const found = ids.map((): Found => ({ tokens: [] }));
  while (!core.idle) {
    for (const { id, sampled, prompt, ending, error } of await core.step()) {
      if (error) throw error;
      const one = found[ids.indexOf(id)] as Found;
      if (sampled) one.tokens.push(sampled.token);
      if (prompt && one.prompt) throw new Error("told twice");
      if (prompt) one.prompt = prompt;
      if (ending) one.ending = ending;
    }
  }
  return found;
}

/** log p of every token but the first, and the likeliest one's, by the full forward. */
async function plainly(tokens: readonly number[]): Promise<{ logprob: number; best: number; bestToken: number }[]> {
  using program = await compile(logitsGraph(config, { batch: 1, length: tokens.length }));
  const data = { dtype: "int32", shape: [tokens.length], data: Int32Array.from(tokens) } as const;
  const logits = (await program.run({ ...weights, tokens: data })).logits?.data as Float32Array;
  return tokens.slice(1).map((token, i) => {
    const row = [...logits.slice(i * config.vocab, (i + 1) * config.vocab)];
    const norm = Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
    const best = Math.max(...row);
    return { logprob: (row[token] as number) - norm, best: best - norm, bestToken: row.indexOf(best) };
  });
}

async function expectScores(tokens: readonly number[], found: readonly ScoredToken[] | undefined) {
  expect(found?.map(({ token }) => token)).toEqual(tokens.slice(1));
  for (const [i, { logprob, best, bestToken }] of (await plainly(tokens)).entries()) {
    expect(found?.[i]?.logprob).toBeCloseTo(logprob, 4);
    expect(found?.[i]?.top[0]?.token).toBe(bestToken);
    expect(found?.[i]?.top[0]?.logprob).toBeCloseTo(best, 4);
  }
}

test("are those of the full forward, in chunks, beside others, and though the cache knows the beginning", async () => {
  using core = await create(64);
  const long = prompt(30, 1);
  await run(core, [{ prompt: long, maxTokens: 1 }]); // leaves the beginning in the cache
  const requests = [
    { prompt: long, maxTokens: 3, promptLogprobs: 2 },
    { prompt: prompt(9, 2), maxTokens: 5 },
    { prompt: prompt(1, 3), maxTokens: 2, promptLogprobs: 1 },
    { prompt: prompt(8, 4), maxTokens: 0, promptLogprobs: 1 },
    { prompt: long, maxTokens: 2 },
  ];
  const found = await run(core, requests);
  await expectScores(long, found[0]?.prompt);
  await expectScores(requests[3]?.prompt as number[], found[3]?.prompt);
  expect(found[2]?.prompt).toEqual([]);
  expect(found.map(({ tokens }) => tokens.length)).toEqual([3, 5, 2, 0, 2]);
  expect([found[1]?.prompt, found[4]?.prompt]).toEqual([undefined, undefined]);
  expect(found[0]?.tokens.slice(0, 2)).toEqual((await run(core, [{ prompt: long, maxTokens: 2 }]))[0]?.tokens);
});

test("are whole though the prompt gave its blocks back meanwhile", async () => {
  using core = await create(14);
  const requests = Array.from({ length: 6 }, (_, i) => ({ prompt: prompt(20, i), maxTokens: 12, promptLogprobs: 1 }));
  const found = await run(core, requests);
  expect(core.stats().preemptions).toBeGreaterThan(0);
  for (const [i, one] of found.entries()) await expectScores(requests[i]?.prompt as number[], one.prompt);
});

test("come with the stop token that ended a text", async () => {
  using core = await create(64);
  const greedy = { prompt: prompt(12, 7), maxTokens: 2, sampling: { temperature: 0, logprobs: 0 } };
  const [
    {
      tokens: [first],
    } = { tokens: [] },
  ] = await run(core, [greedy]);
  const stopped = { ...greedy, stopTokens: [first as number] };
  const [plain, scored] = await run(core, [stopped, { ...stopped, promptLogprobs: 1 }]);
  expect(plain).toEqual({ tokens: [] });
  expect(scored?.tokens).toEqual([]);
  expect(scored?.ending?.token).toBe(first);
  expect(scored?.ending?.logprob).toBeLessThan(0);
  await expectScores(greedy.prompt, scored?.prompt);
});

test.each([-1, 21, 0.5, Number.NaN])("of %d likeliest tokens are refused", async (promptLogprobs) => {
  using core = await create(16);
  expect(() => core.add({ prompt: [1], promptLogprobs })).toThrow(
    /promptLogprobs: must be a whole number from 0 to 20/,
  );
  expect(() => core.add({ prompt: [1], maxTokens: 0 })).toThrow(/maxTokens: must be a whole number from 1/);
  expect(core.idle).toBe(true);
});
