// Decoding with a cache gives what a full forward gives, position by position, for every kind of sharing and heads and
// however the prompt is cut into chunks. Both run in ONNX Runtime.

import { describe, expect, test } from "vitest";
import { cacheNames } from "../../src/model/cached-store.ts";
import type { ModelConfig } from "../../src/model/config.ts";
import { kvBytesPerToken } from "../../src/model/cost.ts";
import { owners, type Sharing, share, unshared } from "../../src/model/sharing.ts";
import { compile } from "../../src/runtime/onnxruntime-node.ts";
import type { Tensors } from "../../src/tensor/tensor.ts";
import { expectClose } from "../graph/close.ts";
import { decode, decodeGraph } from "./decoded.ts";
import { type Heads, kvHeads, lively, logitsGraph, lossGraph, randomTokens, tinyConfig } from "./tiny.ts";

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
const length = 13;

async function full(config: ModelConfig, weights: Tensors, tokens: Int32Array): Promise<Tensors> {
  using program = await compile(logitsGraph(config, { batch: 1, length, block: 4 }), { threads: 1 });
  return await program.run({ ...weights, tokens: { dtype: "int32", shape: [length], data: tokens } });
}

describe.each(Object.entries(sharings))("%s", (_, sharing) => {
  test.each(kinds)("%s", async (heads) => {
    const config = tinyConfig(sharing, heads);
    const weights = lively(config, 1);
    const tokens = randomTokens(config, [length], 2).data;
    const expected = await full(config, weights, tokens);
    using program = await compile(decodeGraph(config), { threads: 1, bound: weights });
    for (const chunks of [[], [3, 3, 3, 3], [5, 5], [length], [1, 5, 1, 3]]) {
      const { logits, cache } = await decode(program, config, {}, tokens, chunks);
      expectClose({ shape: [length, config.vocab], data: logits }, expected.logits, 2e-5);
      for (const owner of owners(sharing)) {
        const names = cacheNames(owner);
        const shape = [length, config.kvHeads * config.headDim];
        expectClose({ shape, data: cache[names.keys] as number[] }, expected[`keys.${owner}`], 2e-5);
        expectClose({ shape, data: cache[names.values] as number[] }, expected[`values.${owner}`], 2e-5);
      }
      const bytes = Object.values(cache).reduce((sum, rows) => sum + 4 * rows.length, 0);
      expect(bytes).toBe(length * kvBytesPerToken(config, "float32"));
    }
  });
});

test.each(kinds)("%s with biases, one norm and a head of its own", async (heads) => {
  const biases = { qkv: true, output: true, mlp: true };
  const config = tinyConfig([0, 0, 2, 0], heads, { biases, kvNorm: "shared", tiedEmbeddings: false });
  const weights = lively(config, 3);
  const tokens = randomTokens(config, [length], 4).data;
  using program = await compile(decodeGraph(config), { threads: 1 });
  const { logits } = await decode(program, config, weights, tokens, [5, 3]);
  expectClose({ shape: [length, config.vocab], data: logits }, (await full(config, weights, tokens)).logits, 2e-5);
});

test.each(kinds)("%s: the loss is the same with a cache and without", async (heads) => {
  const config = tinyConfig(share(4, 2), heads);
  const weights = lively(config, 5);
  const tokens = randomTokens(config, [1, length + 1], 6);
  using trained = await compile(lossGraph(config, { batch: 1, length, block: 4 }), { threads: 1 });
  const { loss } = await trained.run({ ...weights, tokens });
  using program = await compile(decodeGraph(config), { threads: 1 });
  const { logits } = await decode(program, config, weights, tokens.data.slice(0, length), [3, 5]);
  let total = 0;
  for (let t = 0; t < length; t++) {
    const row = logits.slice(t * config.vocab, (t + 1) * config.vocab);
    const normal = Math.log(row.reduce((sum, score) => sum + Math.exp(score), 0));
    total += normal - (row[tokens.data[t + 1] as number] as number);
  }
  expect(loss?.data[0]).toBeCloseTo(total / length, 5);
});

test("the graph reads and writes owners' rows and no others", () => {
  for (const sharing of Object.values(sharings)) {
    const graph = decodeGraph(tinyConfig(sharing));
    const expected = owners(sharing)
      .flatMap((owner) => [`kv.${owner}.k`, `kv.${owner}.v`])
      .sort();
    const inputs = graph.inputs.map(({ node }) => (node.attributes as { name: string }).name);
    expect(inputs.filter((name) => name.startsWith("kv.")).sort()).toEqual(expected);
    expect(
      Object.keys(graph.outputs)
        .filter((name) => name.startsWith("kv."))
        .sort(),
    ).toEqual(expected);
  }
});
