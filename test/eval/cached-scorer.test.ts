import { expect, test } from "vitest";
import { CachedScorer, type CachedScorerOptions } from "../../src/eval/cached-scorer.ts";
import { Scorer, type Window, type WindowScorer } from "../../src/eval/scorer.ts";
import type { ModelConfig } from "../../src/model/config.ts";
import { type Sharing, share, unshared } from "../../src/model/sharing.ts";
import { putAll } from "../../src/runtime/device.ts";
import { type Heads, kvHeads, lively, randomTokens, tinyConfig } from "../model/tiny.ts";
import { cpu1 } from "../runtime/program.ts";

const sharings: Record<string, Sharing> = {
  none: unshared(4),
  CLA2: share(4, 2),
  "one owner": share(4, 4),
  "unequal groups": [0, 0, 2, 0],
};
const kinds = Object.keys(kvHeads) as Heads[];
const context = 50; // blocks of 8

/** More windows than a step holds, of lengths before, at and after the ends of blocks. */
function windowsOf(config: ModelConfig): Window[] {
  const lengths = [50, 1, 8, 9, 0, 33, 48, 50, ...Array.from({ length: 30 }, (_, i) => i + 1)];
  return lengths.map((length, i) => {
    const tokens = randomTokens(config, [length + 1], i).data;
    return { inputs: tokens.subarray(0, -1), labels: tokens.subarray(1) };
  });
}

async function scoresOf(scorer: WindowScorer, windows: readonly Window[]): Promise<Float32Array[]> {
  const found: Float32Array[] = [];
  for await (const scores of scorer.score(windows)) found.push(scores);
  expect(found.map(({ length }) => length)).toEqual(windows.map(({ inputs }) => inputs.length));
  return found;
}

/** The largest difference of a token's score, and the root mean square of all. */
function differences(a: readonly Float32Array[], b: readonly Float32Array[]): { worst: number; rms: number } {
  const all = b.flatMap((scores, i) => Array.from(scores, (x, t) => Math.abs(x - (a[i]?.[t] as number))));
  return { worst: Math.max(...all), rms: Math.sqrt(all.reduce((sum, x) => sum + x * x, 0) / all.length) };
}

const models = Object.entries(sharings).flatMap(([name, sharing]) =>
  kinds.map((heads) => ({ name: `${name}, ${heads}`, config: tinyConfig(sharing, heads, { context }) })),
);

/** How far a cached scorer is from the training graph. */
async function distance(config: ModelConfig, options: CachedScorerOptions): Promise<{ worst: number; rms: number }> {
  const weights = lively(config, 1);
  const windows = windowsOf(config);
  using plain = await Scorer.create(cpu1, config, { batch: 4 });
  using cached = await CachedScorer.create(cpu1, config, weights, options);
  return differences(await scoresOf(plain.with(putAll(cpu1, weights)), windows), await scoresOf(cached, windows));
}

test.each(models)(
  "scores as the training graph does, 8-bit keys and values a little off: $name",
  async ({ config }) => {
    expect((await distance(config, {})).worst).toBeLessThan(1e-4);
    const { rms } = await distance(config, { kvDtype: "int8" });
    expect(rms).toBeGreaterThan(2e-3);
    expect(rms).toBeLessThan(0.06); // 0.008 to 0.032 nats when measured
  },
);

test("rounded weights are off by more, the fewer bits the more", async () => {
  const config = tinyConfig(share(4, 2), "GQA", { context });
  const eight = await distance(config, { weights: "int8" });
  const four = await distance(config, { weights: "int4", kvDtype: "int8" });
  expect(eight.rms).toBeGreaterThan(0.01);
  expect(eight.rms).toBeLessThan(0.09); // 0.043 nats when measured
  expect(four.rms).toBeGreaterThan(3 * eight.rms);
  expect(four.rms).toBeLessThan(1.1); // 0.55
});

test("refuses a window longer than the context", async () => {
  const config = tinyConfig(share(4, 2), "MQA", { context: 16 });
  const weights = lively(config, 1);
  using scorer = await CachedScorer.create(cpu1, config, weights);
  const long = randomTokens(config, [17], 1).data;
  await expect(scoresOf(scorer, [{ inputs: long, labels: long }])).rejects.toThrow(/17 tokens, at most 16/);
});
