// A model whose residual stream is turned computes what it computed before.

import { expect, test } from "vitest";
import type { ModelConfig } from "../../src/model/config.ts";
import { parameters, usesOf } from "../../src/model/parameters.ts";
import { allSharings } from "../../src/model/sharing.ts";
import { turnedWeights, turning } from "../../src/model/turned-weights.ts";
import type { Tensor, Tensors } from "../../src/tensor/tensor.ts";
import { expectClose } from "../graph/close.ts";
import { interpret } from "../graph/interpreter.ts";
import { type Heads, kvHeads, lively, logitsGraph, randomTokens, tinyConfig } from "./tiny.ts";

const layout = { batch: 1, length: 6 };

test.each([1, 2, 3, 8, 12, 40, 45, 576])("turning %i numbers keeps every inner product, along any axis", (width) => {
  const unit = (at: number) => Float32Array.from({ length: width }, (_, i) => Number(i === at));
  const rows = Array.from({ length: Math.min(width, 24) }, (_, at) => {
    const row = unit(at);
    turning(width)(row, 1);
    return row;
  });
  for (const [i, a] of rows.entries()) {
    for (const [j, b] of rows.entries()) {
      const product = a.reduce((sum, x, at) => sum + x * (b[at] as number), 0);
      expect(product).toBeCloseTo(Number(i === j), 5);
    }
  }
  const [first, last] = [rows[0] as Float32Array, rows.at(-1) as Float32Array];
  const columns = new Float32Array(2 * width);
  columns[0] = 1; // [width, 2]: the unit vectors of first and last, side by side
  columns[2 * (rows.length - 1) + 1] = 1;
  turning(width)(columns, 2);
  for (let i = 0; i < width; i++) {
    expect([columns[2 * i], columns[2 * i + 1]]).toEqual([first[i], last[i]]);
  }
});

test("all of a huge number is spread over a width that is no power of two", () => {
  const row = new Float32Array(576);
  row[100] = 24;
  turning(576)(row, 1);
  expect(Math.max(...row.map(Math.abs))).toBeLessThan(1.5); // 1 each, if evenly
});

test("logits are the same: every sharing and kind of heads, tied or not, with biases, norms of heads and of keys and values", () => {
  for (const config of models()) {
    const weights = lively(config, 1);
    const tokens = randomTokens(config, [layout.length], 2);
    const expected = interpret(logitsGraph(config, layout), { ...weights, tokens });
    const untied = { ...config, tiedEmbeddings: false };
    const found = interpret(logitsGraph(untied, layout), { ...turned(config, weights), tokens });
    expectClose(found.logits, expected.logits, 2e-5);
  }
});

test("a missing tensor is named, and so is what nothing is multiplied by", () => {
  const config = tinyConfig([0]);
  const { "attn.norm": _, ...weights } = lively(config, 1);
  const of = (name: string) => parameters(config).find((parameter) => parameter.name === name)!;
  expect(() => turnedWeights(config, {}).plain(of("embed"))).toThrow("no tensor for embed");
  expect(() => turnedWeights(config, weights).product(of("layers.0.mlp.norm"))).toThrow(
    "nothing is multiplied by layers.0.mlp.norm",
  );
});

function models(): ModelConfig[] {
  const every = (Object.keys(kvHeads) as Heads[]).flatMap((heads) =>
    allSharings(3).map((sharing) => ({ heads, sharing })),
  );
  return every.map(({ heads, sharing }, i) =>
    tinyConfig(sharing, heads, {
      ...{ width: 40, mlpWidth: 50, tiedEmbeddings: i % 2 === 1, kvNorm: i % 3 === 0 ? "shared" : "own" },
      biases: { qkv: i % 2 === 0, output: i % 3 === 0, mlp: i % 5 === 0 },
      ...(i % 4 === 1 && { headNorms: "before" }),
      ...(i % 4 === 2 && { headNorms: "after" }),
    }),
  );
}

function turned(config: ModelConfig, weights: Tensors): Tensors {
  const numbers = turnedWeights(config, weights);
  return Object.fromEntries(
    parameters(config).flatMap((parameter) => {
      const { product, plain } = usesOf(config, parameter);
      const { name } = parameter;
      return [
        ...(plain ? [[name, numbers.plain(parameter)] as const] : []),
        ...(product ? [[plain ? "head" : name, copyOf(numbers.product(parameter))] as const] : []),
      ];
    }),
  );
}

function copyOf(tensor: Tensor<"float32">): Tensor<"float32"> {
  return { ...tensor, data: tensor.data.slice() };
}
