// Full causal attention: who sees what, whatever the blocks, and how far a change to one layer's parameters reaches.

import { describe, expect, test } from "vitest";
import { input, trace } from "../../src/graph/trace.ts";
import { causalMask, causalStore } from "../../src/model/causal-store.ts";
import type { ModelConfig } from "../../src/model/config.ts";
import { allSharings, ownedBy, owners } from "../../src/model/sharing.ts";
import type { Tensor, Tensors } from "../../src/tensor/tensor.ts";
import { adamw } from "../../src/train/optimizer.ts";
import { accumulateGraph } from "../../src/train/step.ts";
import { expectClose } from "../graph/close.ts";
import { interpret } from "../graph/interpreter.ts";
import type { Numbers } from "../graph/numbers.ts";
import { type Heads, kvHeads, lively, logitsGraph, randomTokens, tinyConfig } from "./tiny.ts";

const layout = { batch: 2, length: 5, block: 2 };
const kinds = Object.keys(kvHeads) as Heads[];

function run(config: ModelConfig, weights: Tensors, tokens = randomTokens(config, [10], 2), block = layout.block) {
  return interpret(logitsGraph(config, { ...layout, block }), { ...weights, tokens });
}

/** The names of outputs that are not equal, bit for bit. */
function changed(before: Record<string, Numbers>, after: Record<string, Numbers>): string[] {
  return Object.keys(before).filter((name) => before[name]?.data.some((v, i) => v !== after[name]?.data[i]));
}

/** `weights` with a parameter multiplied by `factor`. */
function scaled(weights: Tensors, name: string, factor: number): Tensors {
  const found = weights[name] as Tensor<"float32">;
  return { ...weights, [name]: { ...found, data: found.data.map((v) => v * factor) } };
}

describe.each(kinds)("%s", (heads) => {
  const config = tinyConfig([0, 0, 2, 0], heads);
  const weights = lively(config, 1);

  test("blocks of any size give the same", () => {
    const expected = run(config, weights, undefined, 5);
    for (const block of [1, 2, 3, 4, 7]) {
      const found = run(config, weights, undefined, block);
      for (const [name, numbers] of Object.entries(expected)) expectClose(found[name], numbers, 1e-12);
    }
  });

  test("attention in one operation gives the same, and the same gradients", () => {
    const backward = (attention: "blocks" | "fused") =>
      accumulateGraph(config, { ...layout, optimizer: adamw, attention });
    const fused = { attention: "fused", ...layout } as const;
    const feeds = { ...weights, tokens: randomTokens(config, [10], 2) };
    const predicted = { ...weights, tokens: randomTokens(config, [layout.batch, layout.length + 1], 2) };
    const expected = { ...run(config, weights), ...interpret(backward("blocks"), predicted) };
    const found = { ...interpret(logitsGraph(config, fused), feeds), ...interpret(backward("fused"), predicted) };
    expect(backward("fused").nodes.filter(({ op }) => op === "causalAttentionGrad")).toHaveLength(config.layers);
    for (const [name, numbers] of Object.entries(expected)) expectClose(found[name], numbers, 1e-12);
  });

  test("a later token changes nothing before it, and no other sequence", () => {
    const tokens = randomTokens(config, [10], 2);
    const other = { ...tokens, data: tokens.data.with(3, ((tokens.data[3] as number) + 1) % config.vocab) };
    const [before, after] = [run(config, weights, tokens), run(config, weights, other)].map(({ logits }) => logits);
    const moved = Array.from({ length: 10 }, (_, row) =>
      before?.data.slice(row * 11, row * 11 + 11).some((v, i) => v !== after?.data[row * 11 + i]),
    );
    expect(moved).toEqual([false, false, false, true, true, false, false, false, false, false]);
  });

  test("position counts: the same tokens in another order end elsewhere", () => {
    const tokens = (...data: number[]) => ({ dtype: "int32", shape: [10], data: Int32Array.from(data) }) as const;
    const last = (given: Tensor<"int32">) => run(config, weights, given).logits?.data.slice(44, 55);
    expect(last(tokens(1, 2, 3, 4, 5, 0, 0, 0, 0, 0))).not.toEqual(last(tokens(2, 1, 3, 4, 5, 0, 0, 0, 0, 0)));
  });
});

// With zeroed output projections nothing that a layer computes reaches the residual stream: what a change to one layer
// still reaches, it reaches through the keys and values themselves.
describe("how far a parameter reaches on its own, for every sharing of four layers", () => {
  test.each(allSharings(4).map((sharing) => ({ sharing })))("$sharing", ({ sharing }) => {
    const config = tinyConfig(sharing, "GQA");
    let weights = lively(config, 1);
    for (const [layer] of sharing.entries()) {
      for (const part of ["attn.o", "mlp.down"]) weights = scaled(weights, `layers.${layer}.${part}`, 0);
    }
    const before = run(config, weights);
    for (const [layer, owner] of sharing.entries()) {
      expect(changed(before, run(config, scaled(weights, `layers.${layer}.attn.q`, 2)))).toEqual([`attended.${layer}`]);
      if (owner !== layer) continue;
      const readers = sharing.flatMap((used, reader) => (used === layer ? [`attended.${reader}`] : []));
      const keys = changed(before, run(config, scaled(weights, `layers.${layer}.attn.k`, 2)));
      expect(keys.sort()).toEqual([...readers, `keys.${layer}`].sort());
      const values = changed(before, run(config, scaled(weights, `layers.${layer}.attn.v`, 2)));
      expect(values.sort()).toEqual([...readers, `values.${layer}`].sort());
      const norm = changed(before, run(config, scaled(weights, `layers.${layer}.attn.kv_norm`, 2)));
      expect(norm.sort()).toEqual([...readers, `keys.${layer}`, `values.${layer}`].sort());
    }
  });
});

test("in a whole model an owner reaches every borrower, a borrower no keys or values up to its own layer", () => {
  for (const sharing of allSharings(4)) {
    const config = tinyConfig(sharing, "MQA");
    const weights = lively(config, 1);
    const before = run(config, weights);
    for (const [layer, owner] of sharing.entries()) {
      if (owner === layer) {
        const reached = changed(before, run(config, scaled(weights, `layers.${layer}.attn.k`, 2)));
        const readers = sharing.flatMap((used, reader) => (used === layer ? [`attended.${reader}`] : []));
        expect(reached).toEqual(expect.arrayContaining([...readers, "logits"]));
      } else {
        for (const part of ["attn.norm", "attn.q", "attn.o", "mlp.norm", "mlp.gate", "mlp.up", "mlp.down"]) {
          const reached = changed(before, run(config, scaled(weights, `layers.${layer}.${part}`, 2)));
          expect(reached).toContain("logits");
          for (const earlier of owners(sharing).filter((other) => other < layer)) {
            expect(reached).not.toContain(`keys.${earlier}`);
            expect(reached).not.toContain(`values.${earlier}`);
          }
        }
      }
    }
  }
});

test("a mask hides what comes after each token", () => {
  const hidden = Number.NEGATIVE_INFINITY;
  expect(causalMask(0, 3)).toEqual({
    dtype: "float32",
    shape: [3, 3],
    data: Float32Array.of(0, hidden, hidden, 0, 0, hidden, 0, 0, 0),
  });
  expect(causalMask(1, 3)).toEqual({
    dtype: "float32",
    shape: [2, 3],
    data: Float32Array.of(0, 0, hidden, 0, 0, 0),
  });
});

test("a layer cannot attend to what was never written", () => {
  const config = tinyConfig([0, 0]);
  expect(() =>
    trace(() => {
      const kv = causalStore(config, layout);
      return { x: kv.attend(ownedBy(0), input("q", "float32", [10, 16])) };
    }),
  ).toThrow("attend: layer 0 has written no keys");
});
