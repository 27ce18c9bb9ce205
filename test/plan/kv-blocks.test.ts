// Blocks: their bytes are those that the engine allocates, and as many fit as are counted.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PagedMemory } from "../../src/kv/paged-memory.ts";
import { kvBytesPerToken, unsharedTwin } from "../../src/model/cost.ts";
import { type KvFormat, kvFormats } from "../../src/model/formats.ts";
import { namedModel, scales } from "../../src/model/name.ts";
import { allSharings, owners } from "../../src/model/sharing.ts";
import {
  blockSize,
  fittingBlocks,
  kvBlockBytes,
  kvBlocks,
  longestContext,
  sequencesThatFit,
} from "../../src/plan/kv-blocks.ts";
import { type Heads, kvHeads, tinyConfig } from "../model/tiny.ts";
import { cpu1 } from "../runtime/program.ts";

const dtypes = Object.keys(kvFormats) as KvFormat[];

describe.each(["float32", "int8"] as const)("%s", (dtype) => {
  test("blocks take what the engine's memory allocates, for every sharing of 4 layers and MHA, GQA, MQA", () => {
    for (const sharing of allSharings(4)) {
      for (const heads of Object.keys(kvHeads) as Heads[]) {
        const config = tinyConfig(sharing, heads);
        const memory = new PagedMemory(cpu1, config, { blocks: 3, blockSize: 16, dtype });
        expect(memory.bytes).toBe(3 * kvBlockBytes(config, dtype, 16));
      }
    }
  });
});

test("8 bits: a byte for each element and a float16 scale for each token, owner, head, and K or V", () => {
  const config = namedModel("H128-GQA4-CLA2", scales["1b"]);
  expect(kvBytesPerToken(config, "int8")).toBe(10 * 4 * 2 * (128 + 2));
  expect(kvBytesPerToken(config, "float32")).toBe(10 * 4 * 2 * 128 * 4);
});

test("CLA2 fits exactly twice the blocks where memory is a multiple of both, and never less than twice", () => {
  for (const dtype of dtypes) {
    const shared = namedModel("H128-MQA-CLA2", scales["1b"]);
    const plain = unsharedTwin(shared);
    expect(owners(plain.sharing)).toHaveLength(20);
    for (const blocks of [1, 7, 1000]) {
      const memory = blocks * kvBlockBytes(plain, dtype);
      expect(kvBlocks(plain, dtype, memory)).toBe(blocks);
      expect(kvBlocks(shared, dtype, memory)).toBe(2 * blocks);
      expect(kvBlocks(shared, dtype, memory + 12345)).toBeGreaterThanOrEqual(2 * blocks);
    }
  }
});

test("as many blocks as fit, and not one more", () => {
  const config = namedModel("H64-MQA-CLA2", scales["1b"]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e12 }), fc.constantFrom(...dtypes), (memory, dtype) => {
      const blocks = fittingBlocks(config, dtype, memory);
      expect(blocks * kvBlockBytes(config, dtype)).toBeLessThanOrEqual(memory);
      expect((blocks + 1) * kvBlockBytes(config, dtype)).toBeGreaterThan(memory);
    }),
  );
});

test("memory for less than a block is an error with the numbers", () => {
  const config = namedModel("H128-MQA", scales["1b"]);
  expect(kvBlockBytes(config, "float16")).toBe(blockSize * 10240);
  expect(() => kvBlocks(config, "float16", 1_000_000)).toThrow(
    "KV memory: 1000000 bytes do not hold one block of 128 tokens, which takes 1310720 bytes",
  );
  expect(fittingBlocks(config, "float16", -5)).toBe(0);
});

test("sequences and contexts: what is counted has blocks, and one more has not", () => {
  const amount = fc.integer({ min: 1, max: 5000 });
  fc.assert(
    fc.property(fc.nat(5000), amount, amount, fc.integer({ min: 1, max: 256 }), (blocks, context, batch, size) => {
      const needed = (sequences: number, tokens: number) => sequences * Math.ceil(tokens / size);
      const sequences = sequencesThatFit(blocks, context, size);
      expect(needed(sequences, context)).toBeLessThanOrEqual(blocks);
      expect(needed(sequences + 1, context)).toBeGreaterThan(blocks);
      const longest = longestContext(blocks, batch, size);
      expect(needed(batch, longest)).toBeLessThanOrEqual(blocks);
      expect(needed(batch, longest + 1)).toBeGreaterThan(blocks);
    }),
  );
});
