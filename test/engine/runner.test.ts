// Many sequences over paged, shared keys and values give what a full forward gives, position by position, for every kind
// of sharing and heads: prompts in chunks beside decoding sequences, blocks read alone and by several, moved as it goes.

import { describe, expect, test } from "vitest";
import { BlockPool } from "../../src/engine/block-pool.ts";
import { Runner, servingGraph } from "../../src/engine/runner.ts";
import { Scheduler } from "../../src/engine/scheduler.ts";
import { Sequence } from "../../src/engine/sequence.ts";
import type { Span } from "../../src/kv/kv-memory.ts";
import { poolArrays } from "../../src/kv/paged-inputs.ts";
import { PagedMemory } from "../../src/kv/paged-memory.ts";
import type { ModelConfig } from "../../src/model/config.ts";
import { kvBytesPerToken } from "../../src/model/cost.ts";
import type { KvDtype } from "../../src/model/formats.ts";
import type { Rounding } from "../../src/model/integer-rows.ts";
import { ownedBy, owners, type Sharing, share, unshared } from "../../src/model/sharing.ts";
import { type Buffers, type Device, readAll } from "../../src/runtime/device.ts";
import type { Tensors } from "../../src/tensor/tensor.ts";
import { type Heads, kvHeads, lively, otherChoices, randomTokens, tinyConfig } from "../model/tiny.ts";
import { cpu1, cpu2 } from "../runtime/program.ts";
import { FullForward } from "./full-forward.ts";

const sharings: Record<string, Sharing> = {
  none: unshared(6),
  CLA2: share(6, 2),
  CLA3: share(6, 3),
  CLA4: share(6, 4),
  KeepEnds: share(6, 2, "KeepEnds"),
  DenseFront: share(6, 2, "DenseFront"),
  DenseBack: share(6, 2, "DenseBack"),
  Tail: share(6, 2, "Tail"),
  "one owner": share(6, 6),
  "unequal groups": [0, 0, 2, 0, 2, 5],
};
const kinds = Object.keys(kvHeads) as Heads[];
const blockSize = 4;
const blocks = 40;
const length = 22;

interface Found {
  /** The largest difference of a logit, and of a cached key or value. */
  logits: number;
  /** The root mean square of all logits' differences, over that of the logits. */
  relative: number;
  rows: number;
  compared: number;
}

/** A memory that also keeps the new rows as they come, by name and block. */
class Watched extends PagedMemory {
  readonly rows = new Map<string, Float32Array[]>();

  override async take(outputs: Buffers, spans: readonly Span[]): Promise<void> {
    await super.take(outputs, spans);
    for (const [name, { shape, data }] of Object.entries(await readAll(outputs))) {
      const width = shape.at(-1) as number;
      for (const { blocks, start, row, count } of spans) {
        for (let t = 0; t < count; t++) {
          const block = `${name} ${blocks[Math.floor((start + t) / blockSize)]}`;
          if (!this.rows.has(block)) this.rows.set(block, []);
          const from = (row + t) * width;
          (this.rows.get(block) as Float32Array[])[(start + t) % blockSize] = (data as Float32Array).slice(
            from,
            from + width,
          );
        }
      }
    }
  }
}

/** Feeds sequences that begin alike to a runner, with given tokens, and compares with full forwards. */
async function compare(
  config: ModelConfig,
  weights: Tensors,
  kvDtype: KvDtype,
  { device = cpu1, rounding }: { device?: Device; rounding?: Rounding } = {},
): Promise<Found> {
  const options = { blocks, blockSize, dtype: kvDtype, ...(rounding && { rounding }) };
  const memory = new Watched(device, config, options);
  using runner = await Runner.create(device, config, weights, memory);
  using full = await FullForward.create(config, weights, { rounded: kvDtype === "int8" });
  const scheduler = new Scheduler(new BlockPool(blocks), { blockSize, chunk: 8, maxSequences: 6, prefixCache: true });
  const start = randomTokens(config, [length], 2).data;
  const texts = [1, 13, 9, 17, 6, 21, 12].map((prompt, i) => {
    const tokens = randomTokens(config, [length], 10 + i).data;
    tokens.set(start.subarray(0, [0, 13, 9, 13, 0, 13, 9][i])); // what it has in common with others
    return { tokens, sequence: new Sequence(i, tokens.subarray(0, prompt), { maxTokens: length, blockSize }) };
  });
  const found: Found = { logits: 0, relative: 0, rows: 0, compared: 0 };
  const squares = { differences: 0, logits: 0 };
  const expected = await Promise.all(texts.map(({ tokens }) => full.run(tokens)));
  for (const { sequence } of texts) scheduler.add(sequence);
  for (let slices = scheduler.plan(); slices.length > 0; slices = scheduler.plan()) {
    const scores = await runner.run(slices);
    for (const [i, slice] of slices.entries()) {
      const { sequence } = slice;
      scheduler.computed(slice);
      const row = scores[i];
      if (!row) continue;
      const text = texts[sequence.id] as (typeof texts)[number];
      const right = expected[sequence.id]?.logits?.[sequence.length - 1] as Float32Array;
      found.logits = Math.max(found.logits, difference(row, right));
      for (const [i, x] of row.entries()) {
        squares.differences += (x - (right[i] as number)) ** 2;
        squares.logits += (right[i] as number) ** 2;
      }
      found.compared++;
      if (sequence.length < length) sequence.push(text.tokens[sequence.length] as number);
      else {
        found.rows = Math.max(found.rows, rowsOff(config, memory, sequence, expected[sequence.id] as never));
        scheduler.remove(sequence);
      }
    }
  }
  found.relative = Math.sqrt(squares.differences / squares.logits);
  expect(memory.bytes).toBe(blocks * blockSize * kvBytesPerToken(config, kvDtype));
  return found;
}

function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Math.max(...Array.from(a, (x, i) => Math.abs(x - (b[i] as number))));
}

/** How far the rows in a sequence's blocks are from those of a full forward (float32 only). */
function rowsOff(
  config: ModelConfig,
  memory: Watched,
  sequence: Sequence,
  expected: Record<string, Float32Array[]>,
): number {
  if (memory.dtype !== "float32") return Number.NaN;
  let worst = 0;
  for (const owner of owners(config.sharing)) {
    const { keys, values } = poolArrays(ownedBy(owner), config, memory);
    for (let t = 0; t < sequence.length; t++) {
      const block = sequence.blocks[Math.floor(t / blockSize)];
      for (const [{ rows }, right] of [
        [keys, expected[`keys.${owner}`]],
        [values, expected[`values.${owner}`]],
      ] as const) {
        const row = memory.rows.get(`${rows} ${block}`)?.[t % blockSize] as Float32Array;
        worst = Math.max(worst, difference(row, right?.[t] as Float32Array));
      }
    }
  }
  return worst;
}

describe.each(Object.entries(sharings))("%s", (_, sharing) => {
  test.each(kinds)("%s", async (heads) => {
    const config = tinyConfig(sharing, heads, { context: length });
    const weights = lively(config, 1);
    const plain = await compare(config, weights, "float32");
    expect(plain.compared).toBe(7 * length - (0 + 12 + 8 + 16 + 5 + 20 + 11));
    expect(plain.logits).toBeLessThan(2e-5);
    expect(plain.rows).toBeLessThan(2e-5);
    const rounded = await compare(config, weights, "int8");
    expect(rounded.relative).toBeGreaterThan(1e-4); // they are rounded indeed
    expect(rounded.relative).toBeLessThan(0.06); // of queries and softmax weights: both sides have rounded rows
  });
});

test.each(kinds)("%s with biases, one norm and a head of its own", async (heads) => {
  const biases = { qkv: true, output: true, mlp: true };
  const config = tinyConfig([0, 0, 2, 0], heads, { biases, kvNorm: "shared", tiedEmbeddings: false, context: length });
  const { logits, rows } = await compare(config, lively(config, 3), "float32", { device: cpu2 });
  expect(logits).toBeLessThan(2e-5);
  expect(rows).toBeLessThan(2e-5);
});

test.each(Object.entries(otherChoices))("%s", async (_, choices) => {
  const config = tinyConfig([0, 0, 2, 0], "GQA", { ...choices, context: length });
  const weights = lively(config, 5);
  const { logits, rows } = await compare(config, weights, "float32");
  expect(logits).toBeLessThan(2e-5);
  expect(rows).toBeLessThan(2e-5);
  expect((await compare(config, weights, "int8")).relative).toBeLessThan(0.06);
});

test.each([2, 6, 10, 46])("heads of %i", async (headDim) => {
  const config = tinyConfig(share(4, 2), "GQA", { headDim, context: length });
  const weights = lively(config, 1);
  const { logits, rows } = await compare(config, weights, "float32");
  expect(logits).toBeLessThan(2e-5);
  expect(rows).toBeLessThan(2e-5);
  expect((await compare(config, weights, "int8")).relative).toBeLessThan(0.06);
});

test("rounding to 7 bits, for processors without VNNI, is as good as it must be", async () => {
  const config = tinyConfig(share(6, 2), "GQA", { context: length });
  const reduced = await compare(config, lively(config, 1), "int8", { rounding: "reduced" });
  const { relative } = await compare(config, lively(config, 1), "int8");
  if (cpu1.traits.exactIntegerSums) expect(reduced.relative).toBeGreaterThan(relative);
  else expect(reduced.relative).toBe(relative);
  expect(reduced.relative).toBeLessThan(0.06);
});

test("the graph reads owners' pools and no others', and gives their rows", () => {
  for (const sharing of Object.values(sharings)) {
    const config = tinyConfig(sharing);
    const graph = servingGraph(config, new PagedMemory(cpu1, config, { blocks: 1, blockSize, dtype: "int8" }));
    const arrays = ["k", "v", "k.scales", "v.scales"];
    const named = (before: string, after = "") =>
      owners(sharing).flatMap((owner) => arrays.map((array) => `${before}.${owner}.${array}${after}`));
    const inputs = graph.inputs.map(({ node }) => (node.attributes as { name: string }).name);
    const pools = inputs.filter((name) => name.startsWith("kv."));
    expect(pools.sort()).toEqual([...named("kv"), ...named("kv", ".all")].sort());
    expect(Object.keys(graph.outputs).sort()).toEqual(["logits", ...named("rows")].sort());
  }
});
