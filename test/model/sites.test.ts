// The parameters that the table of sites makes, spelled out for one model, and what is said of them by their sites.

import { expect, test } from "vitest";
import { kvBytesPerToken } from "../../src/model/cost.ts";
import { parameters, redundantNames, usesOf } from "../../src/model/parameters.ts";
import { tinyConfig } from "./tiny.ts";

const biases = { qkv: true, output: false, mlp: true };
const untied = tinyConfig([0, 0], "GQA", { tiedEmbeddings: false, biases, initStd: 0.5 });
const tied = tinyConfig([0, 0], "GQA");

test("a model's parameters, in their order", () => {
  const output = 0.5 / Math.sqrt(2 * 2);
  const told = parameters(untied).map(({ name, shape, init, role, layer }) => {
    const start = "std" in init ? `±${init.std}` : init.value;
    return `${name} [${shape}] ${role} ${start} ${layer ?? "-"}`;
  });
  const queries = (layer: number) => [
    `layers.${layer}.attn.norm [8] norm 1 ${layer}`,
    `layers.${layer}.attn.q [16,8] matrix ±0.5 ${layer}`,
    `layers.${layer}.attn.q.bias [16] bias 0 ${layer}`,
  ];
  const rest = (layer: number) => [
    `layers.${layer}.attn.o [8,16] matrix ±${output} ${layer}`,
    `layers.${layer}.mlp.norm [8] norm 1 ${layer}`,
    `layers.${layer}.mlp.gate [12,8] matrix ±0.5 ${layer}`,
    `layers.${layer}.mlp.gate.bias [12] bias 0 ${layer}`,
    `layers.${layer}.mlp.up [12,8] matrix ±0.5 ${layer}`,
    `layers.${layer}.mlp.up.bias [12] bias 0 ${layer}`,
    `layers.${layer}.mlp.down [8,12] matrix ±${output} ${layer}`,
    `layers.${layer}.mlp.down.bias [8] bias 0 ${layer}`,
  ];
  expect(told).toEqual([
    "embed [11,8] embedding ±0.5 -",
    ...queries(0),
    "layers.0.attn.kv_norm [8] norm 1 0",
    "layers.0.attn.k [8,8] matrix ±0.5 0",
    "layers.0.attn.k.bias [8] bias 0 0",
    "layers.0.attn.v [8,8] matrix ±0.5 0",
    "layers.0.attn.v.bias [8] bias 0 0",
    ...rest(0),
    ...queries(1),
    ...rest(1),
    "norm [8] norm 1 -",
    "head [11,8] embedding ±0.5 -",
  ]);
});

test("keys, values and their norm are redundant in layers that borrow them", () => {
  const names = ["kv_norm", "k", "k.bias", "k_norm", "v", "v.bias"].map((name) => `layers.1.attn.${name}`);
  expect([...redundantNames(tied)]).toEqual(names);
  expect(redundantNames(tinyConfig([0, 1])).size).toBe(0);
});

test("an embedding table is looked up, a head multiplied by, a tied table both", () => {
  const uses = (config: typeof tied) =>
    Object.fromEntries(parameters(config).map((parameter) => [parameter.name, usesOf(config, parameter)]));
  expect(uses(untied)).toMatchObject({
    embed: { product: false, plain: true },
    head: { product: true, plain: false },
    norm: { product: false, plain: true },
    "layers.0.attn.k": { product: true, plain: false },
    "layers.0.attn.k.bias": { product: false, plain: true },
  });
  expect(uses(tied).embed).toEqual({ product: true, plain: true });
});

test("a layer has what it needs for the keys or the values that it keeps", () => {
  const config = tinyConfig([0, 1], "GQA", { biases: { qkv: true, output: false, mlp: false } });
  const split = { ...config, sharing: { keys: [0, 0], values: [0, 1] } };
  const inSecond = (name: string) => name.startsWith("layers.1.attn.") && /kv_norm|[kv](\.bias)?$/.test(name);
  expect(
    parameters(split)
      .map(({ name }) => name)
      .filter(inSecond),
  ).toEqual(["kv_norm", "v", "v.bias"].map((name) => `layers.1.attn.${name}`));
  expect([...redundantNames(split)].filter((name) => name.startsWith("layers.1.attn.k"))).toContain("layers.1.attn.k");
  expect(redundantNames(split)).not.toContain("layers.1.attn.kv_norm");
  expect(kvBytesPerToken(split, "float32")).toBe(0.75 * kvBytesPerToken(config, "float32"));
});
