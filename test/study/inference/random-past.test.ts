// A past of random rows: prompts cost no run of the graph, and what decodes after them attends to those rows.

import { expect, test } from "vitest";
import { EngineCore } from "../../../src/engine/core.ts";
import { Runner } from "../../../src/engine/runner.ts";
import type { KvMemory } from "../../../src/kv/kv-memory.ts";
import { PagedMemory } from "../../../src/kv/paged-memory.ts";
import { share } from "../../../src/model/sharing.ts";
import { type Buffers, readAll } from "../../../src/runtime/device.ts";
import { RandomPast } from "../../../src/study/inference/random-past.ts";
import { lively, tinyConfig } from "../../model/tiny.ts";
import { cpu1 } from "../../runtime/program.ts";

const config = tinyConfig(share(4, 2), "GQA", { context: 64 });
const size = { blocks: 40, blockSize: 4 };

/** A memory that counts the rows it takes, and can make them all 0. */
class Counted extends PagedMemory {
  rows = 0;
  zeros = false;

  override async take(outputs: Buffers, spans: Parameters<KvMemory["take"]>[1]): Promise<void> {
    this.rows += spans.reduce((sum, { count }) => sum + count, 0);
    if (this.zeros) for (const { data } of Object.values(await readAll(outputs))) data.fill(0 as never);
    await super.take(outputs, spans);
  }
}

test.each(["float32", "int8"] as const)("%s: only what decodes is computed, after the random rows", async (dtype) => {
  const scores: string[] = [];
  for (const zeros of [false, true, false]) {
    const memory = new Counted(cpu1, config, { ...size, dtype });
    memory.zeros = zeros;
    using runner = await Runner.create(cpu1, config, lively(config, 1), memory);
    using core = new EngineCore(new RandomPast(cpu1, runner), { chunk: size.blocks * size.blockSize });
    for (const length of [33, 33, 7]) {
      const prompt = Array.from({ length }, (_, i) => (i * length) % config.vocab);
      core.add({ prompt, maxTokens: 4, sampling: { temperature: 0, logprobs: 3 } });
    }
    const first = await core.step();
    expect(first.map(({ sampled }) => sampled?.token)).toEqual([0, 0, 0]);
    expect([memory.rows, runner.seconds]).toEqual([33 + 33 + 7, 0]);
    const second = await core.step();
    expect(second).toHaveLength(3);
    expect(memory.rows).toBe(33 + 33 + 7 + 3);
    expect(runner.seconds).toBeGreaterThan(0);
    scores.push(JSON.stringify(second.map(({ sampled }) => sampled)));
    while (!core.idle) await core.step();
    expect(core.stats().decodeTokens).toBe(3 * 3);
  }
  expect(scores[2]).toBe(scores[0]);
  expect(scores[1]).not.toBe(scores[0]);
});
