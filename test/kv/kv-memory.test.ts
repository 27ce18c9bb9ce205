// What every KvMemory must do, whatever it is made of: sequences in chunks and token by token, beginnings that several share,
// blocks that are used again, other sizes in between. The judge is a plain memory, and its judge the full forward.

import { describe, expect, test } from "vitest";
import { servingGraph } from "../../src/engine/runner.ts";
import { resolve } from "../../src/graph/dim.ts";
import type { KvMemory } from "../../src/kv/kv-memory.ts";
import { PagedMemory } from "../../src/kv/paged-memory.ts";
import type { DecoderConfig, ModelConfig } from "../../src/model/config.ts";
import { kvBytesPerToken } from "../../src/model/cost.ts";
import type { KvDtype } from "../../src/model/formats.ts";
import { type Sharing, share, unshared } from "../../src/model/sharing.ts";
import { type Buffer, type Device, putAll } from "../../src/runtime/device.ts";
import { openDevice } from "../../src/runtime/open-device.ts";
import type { Tensors } from "../../src/tensor/tensor.ts";
import { FullForward } from "../engine/full-forward.ts";
import { type Heads, kvHeads, lively, tinyConfig } from "../model/tiny.ts";
import { cpu1 } from "../runtime/program.ts";
import { kindsOf, writeHistory } from "./history.ts";
import { PlainMemory } from "./plain-memory.ts";

type Make = (config: ModelConfig, dtype: KvDtype) => KvMemory;

const context = 24;
const size = { blocks: 24, blockSize: 4 };
const plain: Make = (config, dtype) => new PlainMemory(cpu1, config, { ...size, dtype });
/** The memories that there are. */
const memories: Record<string, Make> = {
  paged: (config, dtype) => new PagedMemory(cpu1, config, { ...size, dtype }),
};

const sharings: Record<string, Sharing> = {
  none: unshared(4),
  CLA2: share(4, 2),
  KeepEnds: share(4, 2, "KeepEnds"),
  "one owner": share(4, 4),
  "unequal groups": [0, 0, 2, 0],
};
const models = Object.entries(sharings).flatMap(([name, sharing]) =>
  (Object.keys(kvHeads) as Heads[]).map((heads) => ({ model: `${name}, ${heads}`, sharing, heads })),
);
const history = writeHistory({ ...size, context, vocab: tinyConfig(unshared(1)).vocab, seed: 4 });

/** The logits after every row of every step, in order. */
async function logitsOf(
  memory: KvMemory,
  config: DecoderConfig,
  weights: Tensors,
  device: Device = cpu1,
): Promise<Float32Array[]> {
  using program = await device.compile(servingGraph(config, memory), { constants: weights });
  const found: Float32Array[] = [];
  for (const event of history.events) {
    if ("renumbered" in event) {
      memory.resize(event.blocks, event.renumbered);
      continue;
    }
    const { spans, tokens } = event;
    const shape = [tokens.length];
    const own = putAll(device, {
      tokens: { dtype: "int32", shape, data: Int32Array.from(tokens) },
      last: { dtype: "int32", shape, data: Int32Array.from(tokens.keys()) },
    });
    const outputs = await program.run({ ...own, ...memory.inputs(spans) });
    await memory.take(outputs, spans);
    const logits = (await (outputs.logits as Buffer).read()).data as Float32Array;
    for (const row of tokens.keys()) found.push(logits.slice(row * config.vocab, (row + 1) * config.vocab));
  }
  return found;
}

/** The largest difference, and the root mean square of all over that of `expected`. */
function distance(found: readonly Float32Array[], expected: readonly Float32Array[]) {
  const [a, b] = [found, expected].map((rows) => rows.flatMap((row) => [...row])) as [number[], number[]];
  expect(a.length).toBe(b.length);
  const off = a.map((x, i) => Math.abs(x - (b[i] as number)));
  const square = (numbers: readonly number[]) => numbers.reduce((sum, x) => sum + x * x, 0);
  return { worst: Math.max(...off), relative: Math.sqrt(square(off) / square(b)) };
}

test("the history has what makes memories differ", () => {
  const kinds = kindsOf(history, size.blockSize);
  for (const [kind, count] of Object.entries(kinds)) expect(count, kind).toBeGreaterThan(2);
});

describe.each(models)("$model", ({ sharing, heads }) => {
  const config = tinyConfig(sharing, heads, { context });
  const weights = lively(config, 1);

  test.each(["float32", "int8"] as const)("%s", async (dtype) => {
    const expected = await logitsOf(plain(config, dtype), config, weights);
    using full = await FullForward.create(config, weights, { rounded: dtype === "int8" });
    const texts = await Promise.all(history.texts.map((tokens) => full.run(tokens)));
    const right = history.rows.map(({ text, position }) => texts[text]?.logits?.[position] as Float32Array);
    const judge = distance(expected, right);
    if (dtype === "float32") expect(judge.worst).toBeLessThan(5e-5);
    else expect(judge.relative).toBeLessThan(1e-3); // a key at the middle of two codes may become either

    for (const make of Object.values(memories)) {
      const { worst, relative } = distance(await logitsOf(make(config, dtype), config, weights), expected);
      if (dtype === "float32") expect(worst).toBeLessThan(5e-5);
      else expect(relative).toBeLessThan(0.06); // of queries and softmax weights: both sides have rounded rows
    }
  });
});

test.each(["float32", "int8"] as const)("keys of one layer and values of another: %s", async (dtype) => {
  const sources = { keys: [0, 0, 2, 0], values: [0, 1, 1, 3] };
  const config: DecoderConfig = { ...tinyConfig(unshared(4), "GQA", { context }), sharing: sources };
  const weights = lively(config, 1);
  using full = await FullForward.create(config, weights, { rounded: dtype === "int8" });
  const texts = await Promise.all(history.texts.map((tokens) => full.run(tokens)));
  const right = history.rows.map(({ text, position }) => texts[text]?.logits?.[position] as Float32Array);
  using memory = new PagedMemory(cpu1, config, { ...size, dtype });
  expect(memory.bytes).toBe(size.blocks * size.blockSize * kvBytesPerToken(config, dtype));
  const { worst, relative } = distance(await logitsOf(memory, config, weights), right);
  if (dtype === "float32") expect(worst).toBeLessThan(5e-5);
  else expect(relative).toBeLessThan(0.06);
});

test.each(["float32", "int8"] as const)("paged, the graph run by plain JavaScript: %s", async (dtype) => {
  const config = tinyConfig(share(4, 2, "KeepEnds"), "GQA", { context });
  const weights = lively(config, 1);
  await using host = await openDevice("host");
  const options = { ...size, dtype, rounding: "reduced" } as const; // which every processor computes alike
  const expected = await logitsOf(new PagedMemory(cpu1, config, options), config, weights);
  const found = await logitsOf(new PagedMemory(host, config, options), config, weights, host);
  const { worst, relative } = distance(found, expected);
  if (dtype === "float32") expect(worst).toBeLessThan(5e-5);
  else expect(relative).toBeLessThan(0.02);
});

describe.each(Object.entries({ plain, ...memories }))("%s", (_, make) => {
  const config = tinyConfig([0, 0, 2, 0], "GQA", { context });

  test.each(["float32", "int8"] as const)("feeds each input that its store declares, as declared: %s", (dtype) => {
    const memory = make(config, dtype);
    const steps = history.events.filter((event) => "spans" in event);
    const own = new Set([...Object.keys(lively(config, 1)), "tokens", "last"]);
    const declared = servingGraph(config, memory).inputs.filter(({ node }) => !own.has(node.attributes.name));
    for (const { spans } of steps.slice(0, 3)) {
      const fed = memory.inputs(spans);
      const sizes: Record<string, number> = {};
      expect(Object.keys(fed).sort()).toEqual(declared.map(({ node }) => node.attributes.name).sort());
      for (const { node, dtype, shape } of declared) {
        const { name } = node.attributes;
        expect(fed[name]?.dtype, name).toBe(dtype);
        expect(fed[name]?.shape.length, name).toBe(shape.length);
        for (const [axis, dim] of shape.entries()) {
          if (typeof dim === "string") sizes[dim] ??= fed[name]?.shape[axis] as number;
        }
      }
      for (const { node, shape } of declared) {
        const { name } = node.attributes;
        expect(fed[name]?.shape, name).toEqual(shape.map((dim) => resolve(dim, sizes)));
      }
    }
  });

  test("takes bytes by blocks, and other blocks when it is resized", () => {
    const memory = make(config, "float32");
    expect([memory.blocks, memory.blockSize, memory.dtype]).toEqual([size.blocks, size.blockSize, "float32"]);
    const perBlock = memory.bytes / size.blocks;
    expect(perBlock).toBe(2 * 2 * 2 * 4 * 4 * size.blockSize); // K and V, owners, heads, elements, bytes
    memory.resize(7, new Map([[20, 3]]));
    expect([memory.blocks, memory.bytes]).toEqual([7, 7 * perBlock]);
  });
});
