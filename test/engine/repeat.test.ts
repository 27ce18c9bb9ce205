// The same step gives the same bits every time, with two threads and at real sizes: no merge of parts may race. What a
// sequence gets alone differs from what it gets in a batch by rounding, no more.

import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { BlockPool } from "../../src/engine/block-pool.ts";
import { Runner } from "../../src/engine/runner.ts";
import { Scheduler, type Slice } from "../../src/engine/scheduler.ts";
import { Sequence } from "../../src/engine/sequence.ts";
import type { KvMemory } from "../../src/kv/kv-memory.ts";
import { PagedMemory } from "../../src/kv/paged-memory.ts";
import type { ModelConfig } from "../../src/model/config.ts";
import type { KvDtype } from "../../src/model/formats.ts";
import { namedModel } from "../../src/model/name.ts";
import { initialize } from "../../src/model/parameters.ts";
import { Random } from "../../src/tensor/random.ts";
import { cpu2 } from "../runtime/program.ts";

const family = { layers: 4, width: 256, mlpWidth: 688, vocab: 1024, context: 1024, initStd: 0.06 };
const blockSize = 128;
const blocks = 64;

/** Steps until sequences of so many tokens, the last two of which begin alike, all decode and have `grown` tokens. */
async function prepare(runner: Runner, lengths: readonly number[], grown = 0): Promise<Slice[]> {
  const options = { blockSize, chunk: 256, maxSequences: 16, prefixCache: true };
  const scheduler = new Scheduler(new BlockPool(blocks), options);
  for (const length of lengths) {
    const random = new Random(length < 600 ? length : 600);
    const tokens = Int32Array.from({ length }, () => random.below(family.vocab));
    scheduler.add(new Sequence(length, tokens, { maxTokens: 10, blockSize }));
  }
  for (;;) {
    const slices = scheduler.plan();
    const ready = slices.every(({ sequence, count }) => count === 1 && sequence.length >= grown);
    if (ready && slices.length === lengths.length) return slices;
    const scores = await runner.run(slices);
    for (const [i, slice] of slices.entries()) {
      scheduler.computed(slice);
      if (scores[i]) slice.sequence.push(7);
    }
  }
}

/** A memory that takes nothing any more once it is `full`, so that a step can be computed again. */
class Fillable extends PagedMemory {
  full = false;

  override async take(...step: Parameters<KvMemory["take"]>): Promise<void> {
    if (!this.full) await super.take(...step);
  }
}

function createRunner(config: ModelConfig, dtype: KvDtype): Promise<Runner> {
  const memory = new Fillable(cpu2, config, { blocks, blockSize, dtype });
  return Runner.create(cpu2, config, initialize(config, new Random(1)), memory);
}

/** Computes a step and keeps nothing of it. */
async function again(runner: Runner, slices: readonly Slice[]): Promise<Float32Array[]> {
  (runner.memory as Fillable).full = true;
  return (await runner.run(slices)) as Float32Array[];
}

const hash = (scores: readonly Float32Array[]) =>
  scores.map((row) => createHash("sha256").update(new Uint8Array(row.slice().buffer)).digest("hex"));

describe.each(["H64-MQA-CLA2", "H64-GQA2", "H64-MHA-CLA4"])("%s", (name) => {
  test.each(["float32", "int8"] as const)("%s", async (kvDtype) => {
    const config = namedModel(name, family);
    using runner = await createRunner(config, kvDtype);
    const lengths = [5, 130, 257, 300, 399, 511, 600, 601];
    const slices = await prepare(runner, lengths);
    const first = await again(runner, slices);
    const expected = hash(first);
    for (let repeat = 0; repeat < 100; repeat++) expect(hash(await again(runner, slices))).toEqual(expected);

    for (const length of [130, 511, 601]) {
      using alone = await createRunner(config, kvDtype);
      const place = slices.findIndex(({ sequence }) => sequence.id === length);
      const [scores] = await again(alone, await prepare(alone, [length], slices[place]?.sequence.length));
      const batched = first[place] as Float32Array;
      const off = Math.max(...(scores as Float32Array).map((score, i) => Math.abs(score - (batched[i] as number))));
      expect(off).toBeLessThan(kvDtype === "float32" ? 2e-5 : 0.02); // products of one row round in another order
    }
  });
});
