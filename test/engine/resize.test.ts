// A cache that changes its size while sequences use it: their texts stay those of a cache that never changed.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BlockPool } from "../../src/engine/block-pool.ts";
import { EngineCore } from "../../src/engine/core.ts";
import { kvBlockBytes } from "../../src/plan/kv-blocks.ts";
import { Random } from "../../src/tensor/random.ts";
import { lively, tinyConfig } from "../model/tiny.ts";
import { cpu2 } from "../runtime/program.ts";

describe("a block pool", () => {
  test("keeps references and what can be found, under new numbers", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ keep: fc.boolean(), key: fc.boolean() }), { maxLength: 12 }),
        fc.integer({ min: 0, max: 16 }),
        (blocks, extra) => {
          const pool = new BlockPool(12);
          const taken = blocks.map(({ keep, key }, i) => ({
            block: pool.allocate() as number,
            keep,
            key,
            name: `${i}`,
          }));
          for (const { block, key, name } of taken) if (key) pool.publish(block, name);
          for (const { block, keep } of taken) if (!keep) pool.release(block);
          const size = Math.max(1, pool.used + extra);
          const { used, cached } = pool;
          const renumbered = pool.resize(size);
          expect(pool.used).toBe(used);
          expect(pool.cached).toBe(Math.min(cached, size - used));
          expect(pool.used + pool.cached + pool.free).toBe(size);
          expect(new Set(renumbered.values()).size).toBe(renumbered.size);
          for (const { block, keep, key, name } of taken) {
            const now = renumbered.get(block);
            if (keep) expect(pool.references(now as number)).toBe(1);
            if (key && now !== undefined) expect(pool.find(name)).toBe(now);
            if (key && now === undefined) expect(pool.find(name)).toBeUndefined();
          }
          const free = Array.from({ length: pool.available }, () => pool.allocate());
          const held = taken.filter(({ keep }) => keep).map(({ block }) => renumbered.get(block));
          expect(new Set([...free, ...held]).size).toBe(size);
        },
      ),
    );
  });

  test("refuses a size below what is used", () => {
    const pool = new BlockPool(3);
    pool.allocate();
    pool.allocate();
    expect(() => pool.resize(1)).toThrow("2 blocks are used; 1 cannot hold them");
  });
});

const config = tinyConfig([0, 0, 2, 2], "MQA", { context: 256 });
const weights = lively(config, 7);

/** The tokens of eight prompts, after `between` was called before each step. */
async function write(kvDtype: "float32" | "int8", between: (core: EngineCore, step: number) => Promise<void> | void) {
  const block = kvBlockBytes(config, kvDtype, 8);
  using core = await EngineCore.create(cpu2, config, weights, {
    ...{ kvMemory: 24 * block, kvLimit: 64 * block, kvDtype, blockSize: 8, chunk: 16, threads: 1 },
  });
  const random = new Random(11);
  const ids = Array.from({ length: 8 }, (_, i) => {
    const prompt = Array.from({ length: 10 + 7 * (i % 5) }, () => random.uint32() % config.vocab);
    return core.add({ prompt, maxTokens: 20, sampling: { temperature: 0 } });
  });
  const tokens = new Map(ids.map((id) => [id, [] as number[]]));
  for (let step = 0; !core.idle; step++) {
    await between(core, step);
    for (const { id, sampled, error } of await core.step()) {
      if (error) throw error;
      if (sampled) tokens.get(id)?.push(sampled.token);
    }
    if (step > 2000) throw new Error("it does not end");
  }
  expect(core.stats().blocks.used).toBe(0);
  return { tokens: [...tokens.values()], preemptions: core.stats().preemptions };
}

describe("an engine core", () => {
  test.each(["float32", "int8"] as const)("writes the same while its cache grows and shrinks (%s)", async (kvDtype) => {
    const block = kvBlockBytes(config, kvDtype, 8);
    const plain = await write(kvDtype, () => {});
    const changed = await write(kvDtype, (core, step) => core.resize([9, 64, 12, 30, 8][step % 5]! * block));
    expect(changed.tokens).toEqual(plain.tokens);
    expect(changed.preemptions).toBeGreaterThan(0);
  });

  test("takes what fits its limit, and lets it wait for memory", async () => {
    const block = kvBlockBytes(config, "float32", 8);
    using core = await EngineCore.create(cpu2, config, weights, {
      ...{ kvMemory: 2 * block, kvLimit: 10 * block, blockSize: 8, chunk: 16, threads: 1 },
    });
    expect(core.longest).toBe(80);
    expect(() => core.add({ prompt: new Array(80).fill(1) })).toThrow("10 blocks of 8 tokens, 80 in all");
    core.add({ prompt: new Array(40).fill(1), maxTokens: 4 });
    expect(await core.step()).toEqual([]);
    expect(core.stats()).toMatchObject({ waiting: 1, running: 0, wanted: { blocks: 5, first: 5 } });
    await core.resize(6 * block);
    let written = 0;
    while (!core.idle) written += (await core.step()).filter(({ sampled }) => sampled).length;
    expect(written).toBe(4);
  });
});
