// With 8-bit keys and values a text is the same bits whatever brought it about: its prompt read at once, found in the
// cache, or computed again after a preemption; alone or in a batch; on one thread or two. Every row of scores is compared,
// and what is drawn from it at temperature 1.

import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { CoreRequest } from "../../src/engine/core.ts";
import { EngineCore } from "../../src/engine/core.ts";
import type { BatchingOptions } from "../../src/engine/core-options.ts";
import { Runner, type StepRunner } from "../../src/engine/runner.ts";
import { PagedMemory } from "../../src/kv/paged-memory.ts";
import type { ModelConfig } from "../../src/model/config.ts";
import type { WeightDtype } from "../../src/model/formats.ts";
import { namedModel } from "../../src/model/name.ts";
import { initialize } from "../../src/model/parameters.ts";
import type { Device } from "../../src/runtime/device.ts";
import { Random } from "../../src/tensor/random.ts";
import { cpu1, cpu2 } from "../runtime/program.ts";
import { steadyProducts } from "../runtime/steady-products.ts";

const family = { layers: 4, width: 64, mlpWidth: 96, vocab: 256, context: 1024, initStd: 0.12 };
const blockSize = 128;

/** Requests of many seeds; two of three begin like others. */
function manyRequests(config: ModelConfig, count: number): CoreRequest[] {
  const random = new Random(7);
  const tokens = (length: number) => Array.from({ length }, () => random.below(config.vocab));
  const beginning = tokens(400);
  return Array.from({ length: count }, (_, seed) => {
    const length = 1 + random.below(600);
    const known = seed % 3 === 0 ? 0 : Math.min(length - 1, random.below(beginning.length));
    const prompt = [...beginning.slice(0, known), ...tokens(length - known)];
    return { prompt, maxTokens: 10 + random.below(50), sampling: { temperature: 1, seed } };
  });
}

interface Run {
  /** Hashes of scores, by request and length; each as often as it was computed. */
  readonly rows: ReadonlyMap<string, readonly string[]>;
  readonly texts: readonly (readonly number[])[];
  readonly preemptions: number;
  readonly prefixHitRate: number;
}

interface Model {
  readonly config: ModelConfig;
  readonly weights?: WeightDtype;
}

/** Runs groups of requests one after another; those of a group come at one time. */
async function run(
  { config, weights }: Model,
  requests: readonly CoreRequest[],
  groups: readonly (readonly number[])[],
  { device = cpu2, blocks = 200, ...options }: BatchingOptions & { device?: Device; blocks?: number } = {},
): Promise<Run> {
  const rows = new Map<string, string[]>();
  const texts: number[][] = [];
  const memory = new PagedMemory(device, config, { blocks, blockSize, dtype: "int8" });
  const runner = await Runner.create(device, config, initialize(config, new Random(1)), memory, weights);
  const requestOf = new Map<number, number>();
  const watched: StepRunner = {
    config,
    memory,
    seconds: 0,
    run: async (slices) => {
      const scores = await runner.run(slices);
      for (const [i, { sequence }] of slices.entries()) {
        const row = scores[i];
        if (!row) continue;
        const key = `${requestOf.get(sequence.id)} at ${sequence.length}`;
        const hash = createHash("sha256").update(new Uint8Array(row.slice().buffer)).digest("hex");
        rows.set(key, [...(rows.get(key) ?? []), hash]);
      }
      return scores;
    },
    runAll: (slices) => runner.runAll(slices),
    [Symbol.dispose]: () => runner[Symbol.dispose](),
  };
  using core = new EngineCore(watched, options);
  for (const group of groups) {
    for (const i of group) {
      requestOf.set(core.add(requests[i] as CoreRequest), i);
      texts[i] = [];
    }
    while (!core.idle) {
      for (const { id, sampled, error } of await core.step()) {
        if (error) throw error;
        if (sampled) texts[requestOf.get(id) as number]?.push(sampled.token);
      }
    }
  }
  const { preemptions, prefixHitRate } = core.stats();
  return { rows, texts, preemptions, prefixHitRate };
}

function expectSame(found: Run, alone: Run): void {
  const differing = [...found.rows].filter(([key, hashes]) => hashes.some((hash) => hash !== alone.rows.get(key)?.[0]));
  expect(differing.map(([key]) => key)).toEqual([]);
  expect(found.texts).toEqual(alone.texts);
}

const models: Record<string, Model> = {
  "H16-MQA": { config: namedModel("H16-MQA", family) },
  "H16-MQA-CLA2": { config: namedModel("H16-MQA-CLA2", family) },
  "H16-GQA2-CLA2-KeepEnds, int8 weights": { config: namedModel("H16-GQA2-CLA2-KeepEnds", family), weights: "int8" },
  "H16-MHA-CLA4, int4 weights": { config: namedModel("H16-MHA-CLA4", family), weights: "int4" },
  "H16-GQA2-CLA2, w8a8 weights": { config: namedModel("H16-GQA2-CLA2", family), weights: "w8a8" },
};

describe.each(Object.entries(models))("%s", (_, model) => {
  test.skipIf(model.weights === "int4" && !steadyProducts)(
    "gives every seed's text its bits",
    { timeout: 60_000 },
    async () => {
      const requests = manyRequests(model.config, 8);
      const all = [...requests.keys()];
      const each = all.map((i) => [i]);
      const alone = await run(model, requests, each, { device: cpu1, prefixCache: false });
      expect(alone.prefixHitRate).toBe(0);
      expect(new Set([...alone.rows.values()].flat()).size).toBe(alone.rows.size);

      const twice = await run(model, requests, [...each, ...each]);
      expect(twice.prefixHitRate).toBeGreaterThan(0.3);
      expectSame(twice, alone);

      const together = await run(model, requests, [all, all], { chunk: 384 });
      expectSame(together, alone);

      const short = await run(model, requests, [all], { blocks: 8 });
      expect(short.preemptions).toBeGreaterThan(0);
      expectSame(short, alone);
    },
  );
});

test("a long text, of more pieces than are merged at one time", { timeout: 60_000 }, async () => {
  const config = namedModel("H16-MQA-CLA2", { ...family, layers: 2, context: 8192 });
  const random = new Random(3);
  const prompts = [5300, 2700, 640].map((length) => Array.from({ length }, () => random.below(config.vocab)));
  const requests = prompts.map((prompt, seed) => ({ prompt, maxTokens: 8, sampling: { temperature: 1, seed } }));
  const alone = await run({ config }, requests, [[0], [1], [2]], { prefixCache: false });
  const together = await run({ config }, requests, [[0, 1, 2], [2], [1], [0]]);
  expect(together.prefixHitRate).toBeGreaterThan(0.4);
  expectSame(together, alone);
});
