// Continuous batching gives every sequence the tokens it would have had alone, whatever arrives, leaves, waits or is
// preempted around it; and when all is done every block is free.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { type CoreRequest, EngineCore } from "../../src/engine/core.ts";
import type { CoreOptions } from "../../src/engine/core-options.ts";
import { decode } from "../../src/engine/decode.ts";
import type { ModelConfig } from "../../src/model/config.ts";
import { kvBytesPerToken } from "../../src/model/cost.ts";
import { type Sharing, share, unshared } from "../../src/model/sharing.ts";
import { Random } from "../../src/tensor/random.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { type Heads, lively, tinyConfig } from "../model/tiny.ts";
import { cpu1 } from "../runtime/program.ts";
import { FullForward } from "./full-forward.ts";

const blockSize = 4;
const greedy = { temperature: 0 };

/** An engine whose cache holds `blocks` blocks. */
function create(config: ModelConfig, blocks: number, more: Partial<CoreOptions> = {}, weights = lively(config, 1)) {
  const kvMemory = blocks * blockSize * kvBytesPerToken(config, more.kvDtype ?? "float32");
  return EngineCore.create(cpu1, config, weights, {
    kvMemory,
    blockSize,
    chunk: 8,
    maxSequences: 16,
    ...more,
  });
}

interface Done {
  readonly tokens: number[];
  finish?: string;
  error?: Error;
}

/** Runs requests to their ends; `arrive` says before which step each comes, `leave` after how many tokens it is cancelled. */
async function run(
  core: EngineCore,
  requests: readonly CoreRequest[],
  {
    arrive = () => 0,
    leave = () => Number.POSITIVE_INFINITY,
  }: { arrive?(i: number): number; leave?(i: number): number } = {},
): Promise<Done[]> {
  const done = requests.map((): Done => ({ tokens: [] }));
  const byId = new Map<number, number>();
  let left = requests.length;
  for (let step = 0; left > 0; step++) {
    for (const [i, request] of requests.entries()) if (arrive(i) === step) byId.set(core.add(request), i);
    for (const { id, sampled, finish, error } of await core.step()) {
      const i = byId.get(id) as number;
      const entry = done[i] as Done;
      if (sampled) entry.tokens.push(sampled.token);
      Object.assign(entry, { finish, error });
      if (!finish && !error && entry.tokens.length < leave(i)) continue;
      core.cancel(id);
      left--;
    }
  }
  return done;
}

function randomRequests(config: ModelConfig, count: number, seed: number): (CoreRequest & { prompt: number[] })[] {
  const random = new Random(seed);
  const starts = Array.from({ length: 3 }, () => Array.from({ length: 20 }, () => random.below(config.vocab)));
  return Array.from({ length: count }, () => {
    const start = (starts[random.below(3)] as number[]).slice(0, random.below(2) * random.below(21));
    const rest = Array.from({ length: 1 + random.below(16) }, () => random.below(config.vocab));
    return { prompt: [...start, ...rest], maxTokens: 1 + random.below(12), sampling: greedy };
  });
}

const models: [string, Sharing, Heads][] = [
  ["none", unshared(4), "MHA"],
  ["CLA2", share(4, 2), "MQA"],
  ["CLA2", share(4, 2), "GQA"],
  ["KeepEnds", share(4, 2, "KeepEnds"), "MHA"],
  ["one owner", share(4, 4), "MQA"],
];

describe.each(models)("%s", (_, sharing, heads) => {
  test(`${heads}: random arrivals, lengths and cancellations in too little memory`, async () => {
    const config = tinyConfig(sharing, heads, { context: 48 });
    const requests = randomRequests(config, 40, 5);
    const random = new Random(6);
    const arrivals = requests.map(() => random.below(60));
    const leaves = requests.map(() => (random.below(4) === 0 ? 1 + random.below(6) : Number.POSITIVE_INFINITY));
    using core = await create(config, 16);
    const done = await run(core, requests, {
      arrive: (i) => arrivals[i] as number,
      leave: (i) => leaves[i] as number,
    });
    using full = await FullForward.create(config, lively(config, 1));
    for (const [i, { prompt, maxTokens }] of requests.entries()) {
      const count = Math.min(maxTokens as number, leaves[i] as number);
      const { tokens, margin } = await full.greedy(prompt, count);
      expect(margin).toBeGreaterThan(1e-4); // no near tie that rounding may decide
      expect(done[i]?.tokens).toEqual(tokens);
    }
    const { blocks, preemptions, prefixHitRate, running, waiting } = core.stats();
    expect([running, waiting, blocks.used, blocks.free + blocks.cached]).toEqual([0, 0, 0, blocks.total]);
    expect(preemptions).toBeGreaterThan(0);
    expect(prefixHitRate).toBeGreaterThan(0);
  });
});

const config = tinyConfig(share(4, 2), "GQA", { context: 48 });

test("10,000 random requests leave every block free and memory flat", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const memory = () => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  using core = await create(config, 64);
  let early = 0;
  for (let round = 0; round < 20; round++) {
    const requests = randomRequests(config, 500, round).map((request) => ({ ...request, maxTokens: 1 + (round % 4) }));
    const random = new Random(round);
    const leaves = requests.map(() => 1 + random.below(6));
    await run(core, requests, { leave: (i) => leaves[i] as number });
    const { blocks } = core.stats();
    expect([blocks.used, blocks.free + blocks.cached]).toEqual([0, blocks.total]);
    if (round === 4) early = memory();
  }
  expect(memory() - early).toBeLessThan(2 << 20);
});

test("a sequence's draws do not depend on what else is in the batch", async () => {
  const sampling = { temperature: 1, topP: 0.9, seed: 11, logprobs: 3 };
  const request: CoreRequest = { prompt: [1, 2, 3, 4, 5, 6], maxTokens: 20, sampling };
  using alone = await create(config, 64);
  const [expected] = await run(alone, [request]);
  using core = await create(config, 64);
  const others = randomRequests(config, 30, 9).map((other, i) => ({ ...other, sampling: { temperature: 1, seed: i } }));
  const done = await run(core, [request, ...others], { arrive: (i) => i % 7 });
  expect(done[0]).toEqual(expected);
});

test("n texts of one prompt share its blocks", async () => {
  const prompt = Array.from({ length: 18 }, (_, i) => i % config.vocab); // 4 full blocks and a half
  using core = await create(config, 64);
  for (let seed = 0; seed < 3; seed++) core.add({ prompt, maxTokens: 4, sampling: { temperature: 1, seed } });
  let shared = 0;
  while (!core.idle) {
    await core.step();
    shared = Math.max(shared, core.stats().blocks.shared);
  }
  expect(shared).toBe(4);
  expect(core.stats().prefillTokens).toBe(18 + 2 * 2);
});

test("a found prefix is not computed again, and the oldest makes room", async () => {
  using core = await create(config, 12);
  const prompt = Array.from({ length: 17 }, (_, i) => (i * 5) % config.vocab);
  const ask = async (prompt: number[]) => {
    const before = core.stats().prefillTokens;
    const [done] = await run(core, [{ prompt, maxTokens: 2, sampling: greedy }]);
    return { tokens: done?.tokens, computed: core.stats().prefillTokens - before };
  };
  const cold = await ask(prompt);
  expect(cold.computed).toBe(17);
  expect(await ask(prompt)).toEqual({ tokens: cold.tokens, computed: 1 });
  expect((await ask([...prompt.slice(0, 9), 3, 3, 3])).computed).toBe(4); // two blocks found
  await ask(Array.from({ length: 40 }, (_, i) => (i * 3) % config.vocab)); // takes all blocks but one
  expect(await ask(prompt)).toEqual({ tokens: cold.tokens, computed: 13 }); // its first block is the last to go
  core.forgetPrefixes();
  expect(core.stats().blocks.free).toBe(12);
  using without = await create(config, 12, { prefixCache: false });
  await run(without, [{ prompt, maxTokens: 2 }]);
  expect(without.stats().blocks.cached).toBe(0);
});

test("twins that computed the same beginning apart, and one who finds it, all get their own tokens", async () => {
  using core = await create(config, 32);
  using full = await FullForward.create(config, lively(config, 1));
  const prompt = [3, 1, 4, 1]; // one block, two of which are a step
  const { tokens: expected } = await full.greedy(prompt, 20);
  const short = core.add({ prompt, maxTokens: 1, sampling: greedy });
  const long = core.add({ prompt, maxTokens: 20, sampling: greedy }); // read in the same step: nothing to find yet
  const found: number[] = [];
  const later: number[] = [];
  const question = [...prompt, ...expected.slice(0, 8), 7];
  let asked = false;
  while (!core.idle) {
    for (const { id, sampled } of await core.step()) {
      if (!sampled || id === short) continue;
      (id === long ? found : later).push(sampled.token);
    }
    if (found.length < 10 || asked) continue;
    core.add({ prompt: question, maxTokens: 6, sampling: greedy });
    asked = true;
  }
  expect(found).toEqual(expected);
  expect(later).toEqual((await full.greedy(question, 6)).tokens);
});

test("who came first is served first, and nobody starves", async () => {
  using core = await create(config, 12);
  const requests = Array.from({ length: 30 }, (_, i) => ({
    prompt: Array.from({ length: i % 3 === 0 ? 30 : 3 }, (_, j) => (i + j) % config.vocab),
    maxTokens: 8,
    sampling: greedy,
  }));
  const firsts: number[] = [];
  for (const request of requests) core.add(request);
  while (!core.idle) {
    for (const { id, sampled } of await core.step()) if (sampled && !firsts.includes(id)) firsts.push(id);
  }
  expect(firsts).toEqual(requests.map((_, i) => i));
});

test("what can never fit is refused with the numbers", async () => {
  using core = await create(config, 8);
  const prompt = (length: number) => new Array<number>(length).fill(1);
  expect(() => core.add({ prompt: [] })).toThrow("prompt: has no tokens");
  expect(() => core.add({ prompt: prompt(48) })).toThrow(/48 tokens; the model's context of 48 must hold one more/);
  expect(() => core.add({ prompt: prompt(40), maxTokens: 9 })).toThrow(/context of 48 must hold 9 more/);
  expect(() => core.add({ prompt: prompt(30), maxTokens: 3 })).toThrow(
    /30 tokens; the cache of \d+ bytes holds 8 blocks of 4 tokens, 32 in all, and must hold 3 more/,
  );
  expect(() => core.add({ prompt: [1, config.vocab] })).toThrow(/token 1 is 11; ids are 0 to 10/);
  expect(() => core.add({ prompt: [1], maxTokens: 0 })).toThrow(/maxTokens: must be a whole number from 1/);
  expect(core.idle).toBe(true);
  const [done] = await run(core, [{ prompt: prompt(30), maxTokens: 2 }]);
  expect(done?.finish).toBe("length");
  const [filled] = await run(core, [{ prompt: prompt(3) }]);
  expect(filled?.tokens.length).toBe(29); // to the end of the cache
  await expect(create(config, 0.5)).rejects.toThrow(/block/);
});

test("stop tokens end a sequence and are not given out", async () => {
  using core = await create(config, 16);
  const prompt = [1, 2, 3];
  const [free] = await run(core, [{ prompt, maxTokens: 8, sampling: greedy }]);
  const stop = free?.tokens[4] as number;
  const [stopped] = await run(core, [{ prompt, maxTokens: 8, sampling: greedy, stopTokens: [stop] }]);
  expect(stopped).toMatchObject({ tokens: free?.tokens.slice(0, free.tokens.indexOf(stop)), finish: "stop" });
});

test("logits that are no numbers end their own request and no other", async () => {
  const weights = lively(config, 1);
  const embed = weights.embed as Tensor<"float32">;
  const broken = { ...weights, embed: { ...embed, data: embed.data.slice() } };
  broken.embed.data.fill(Number.NaN, 7 * config.width, 8 * config.width); // token 7, which the tied head gives NaN too
  const untied = { ...config, tiedEmbeddings: false };
  const head: Tensor<"float32"> = { ...embed, data: embed.data.slice() };
  const good = [
    [1, 2, 3, 4, 5, 6],
    [2, 3, 4],
    [5, 6, 1, 2, 3, 4, 5, 6, 1, 2],
  ];
  const ask = (prompt: number[]): CoreRequest => ({
    prompt,
    maxTokens: 5,
    sampling: { temperature: 0, logitBias: { 7: -100 } },
  });
  using whole = await create(untied, 32, {}, { ...weights, head });
  const expected = await run(whole, good.map(ask));
  using core = await create(untied, 32, {}, { ...broken, head });
  const requests = [good[0], [1, 7, 3, 4, 5, 6, 2], good[1], good[2], [7]].map((prompt) => ask(prompt as number[]));
  for (let repeat = 0; repeat < 3; repeat++) {
    const done = await run(core, requests, { arrive: (i) => i % 2 });
    expect([done[0], done[2], done[3]]).toEqual(expected);
    expect(done[1]?.error?.message).toMatch(/11 of 11 are NaN/);
    expect(done[4]?.error?.name).toBe("NonFiniteLogitsError");
    expect(core.stats().blocks.used).toBe(0);
  }
});

test("decode gives one sequence's tokens and frees its blocks when left", async () => {
  using core = await create(config, 16);
  using full = await FullForward.create(config, lively(config, 1));
  const tokens: number[] = [];
  for await (const token of decode(core, { prompt: [3, 1], maxTokens: 6, sampling: greedy })) tokens.push(token);
  expect(tokens).toEqual((await full.greedy([3, 1], 6)).tokens);
  for await (const _ of decode(core, { prompt: [3, 1], maxTokens: 6 })) break;
  expect([core.idle, core.stats().blocks.used]).toEqual([true, 0]);
});
