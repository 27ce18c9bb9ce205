// What models cost, against the paper's Table 1 and against what is really allocated.

import { describe, expect, test } from "vitest";
import { flopsPerToken, kvBytesPerToken, parameterCount } from "../../src/model/cost.ts";
import { modelName } from "../../src/model/model-name.ts";
import { namedModel, scales } from "../../src/model/name.ts";
import { initialize, type Parameter, parameters } from "../../src/model/parameters.ts";
import { allSharings, owners } from "../../src/model/sharing.ts";
import { Random } from "../../src/tensor/random.ts";
import { sizeOf } from "../../src/tensor/tensor.ts";
import { type Heads, kvHeads, logitsGraph, tinyConfig } from "./tiny.ts";

describe("Table 1: 1B design space", () => {
  test.each([
    // model, head dim, query heads, KV heads, KV layers, KV bytes per token at 16 bits
    ["H128-MHA", 128, 16, 16, 20, 163840],
    ["H128-GQA4", 128, 16, 4, 20, 40960],
    ["H128-GQA2", 128, 16, 2, 20, 20480],
    ["H128-MQA", 128, 16, 1, 20, 10240],
    ["H64-MQA", 64, 32, 1, 20, 5120],
    ["H46-MQA", 46, 45, 1, 20, 3680],
    ["H32-MQA", 32, 64, 1, 20, 2560],
    ["H512-MQA-CLA2", 512, 4, 1, 10, 20480],
    ["H256-MQA-CLA2", 256, 8, 1, 10, 10240],
    ["H128-MQA-CLA2", 128, 16, 1, 10, 5120],
    ["H90-MQA-CLA2", 90, 22, 1, 10, 3600],
    ["H64-MQA-CLA2", 64, 32, 1, 10, 2560],
    ["H256-GQA4-CLA2", 256, 8, 4, 10, 40960],
    ["H128-GQA4-CLA2", 128, 16, 4, 10, 20480],
    ["H128-GQA2-CLA2", 128, 16, 2, 10, 10240],
    ["H128-MQA-CLA3", 128, 16, 1, 7, 3584],
    ["H128-MQA-CLA4", 128, 16, 1, 5, 2560],
    ["H128-MQA-CLA2-KeepEnds", 128, 16, 1, 11, 5632],
    ["H128-MQA-CLA2-DenseFront", 128, 16, 1, 11, 5632],
    ["H128-MQA-CLA2-DenseBack", 128, 16, 1, 11, 5632],
  ])("%s", (name, headDim, heads, groups, kvLayers, bytes) => {
    const config = namedModel(name, scales["1b"]);
    expect(config).toMatchObject({ headDim, heads, kvHeads: groups });
    expect(owners(config.sharing)).toHaveLength(kvLayers);
    expect(kvBytesPerToken(config, "float16")).toBe(bytes);
    expect(kvBytesPerToken(config, "float32")).toBe(2 * bytes);
    expect(modelName(config)).toBe(name);
  });
});

test.each([
  ["1b", "H128-MQA", "850.7"],
  ["1b", "H128-MQA-CLA2", "845.4"],
  ["1b", "H128-MHA", "1007.9"],
  ["3b", "H128-MQA", "3045.1"],
  ["3b", "H128-MQA-CLA2", "3032.5"],
] as const)("%s %s has %s million parameters in its layers' matrices", (scale, name, millions) => {
  const config = namedModel(name, scales[scale]);
  const sizes = (role: Parameter["role"]) =>
    parameters(config).reduce((sum, each) => (each.role === role ? sum + sizeOf(each.shape) : sum), 0);
  expect((sizes("matrix") / 1e6).toFixed(1)).toBe(millions);
  const norms = 2 * config.layers + owners(config.sharing).length + 1;
  const { nonEmbedding, total } = parameterCount(config);
  expect(nonEmbedding).toBe(sizes("matrix") + norms * config.width);
  expect(total - nonEmbedding).toBe(50304 * config.width);
});

test("tuned 3B rows: KV bytes per token", () => {
  const bytes = (name: string) => kvBytesPerToken(namedModel(name, scales["3b"]), "float16");
  expect(["H128-MQA", "H128-MQA-CLA2", "H64-MQA", "H64-MQA-CLA2", "H32-MQA"].map(bytes)).toEqual([
    16384, 8192, 8192, 4096, 4096,
  ]);
});

describe("closed forms equal what is allocated", () => {
  const configs = allSharings(4).flatMap((sharing) =>
    (Object.keys(kvHeads) as Heads[]).flatMap((heads) => [
      tinyConfig(sharing, heads),
      tinyConfig(sharing, heads, {
        tiedEmbeddings: false,
        kvNorm: "shared",
        biases: { qkv: true, output: true, mlp: true },
      }),
    ]),
  );

  test("parameters", () => {
    for (const config of configs) {
      const allocated = Object.values(initialize(config, new Random(0))).reduce((sum, t) => sum + t.data.length, 0);
      expect(parameterCount(config).total).toBe(allocated);
    }
  });

  test("KV bytes: two arrays for each owner's layer, none for a borrower's", () => {
    for (const config of configs) {
      const { outputs } = logitsGraph(config, { batch: 1, length: 1 });
      const kept = Object.entries(outputs).filter(([name]) => /^(keys|values)\./.test(name));
      const bytes = kept.reduce((sum, [, { shape }]) => sum + 4 * sizeOf(shape as number[]), 0);
      expect(kvBytesPerToken(config, "float32")).toBe(bytes);
    }
  });

  test("arithmetic: twice the elements of every matrix product in the graph, but for attention's causal half", () => {
    for (const config of configs) {
      const { nodes } = logitsGraph(config, { batch: 1, length: 1 });
      const flops = nodes.reduce((sum, { op, inputs, outputs }) => {
        if (op !== "matmul" && op !== "softmaxWeighted") return sum;
        const inner = op === "matmul" ? (inputs[0]?.shape.at(-1) as number) : (inputs[1]?.shape.at(-2) as number);
        return sum + 2 * inner * sizeOf(outputs[0]?.shape as number[]);
      }, 0);
      expect(flopsPerToken(config, 1)).toBe(flops);
    }
  });
});

test("borrowers have neither keys nor values, nor the norm before them", () => {
  for (const sharing of allSharings(4)) {
    for (const kvNorm of ["own", "shared"] as const) {
      const biases = { qkv: true, output: false, mlp: false };
      const names = parameters(tinyConfig(sharing, "GQA", { biases, kvNorm })).map(({ name }) => name);
      for (const [layer, owner] of sharing.entries()) {
        const parts = ["k", "k.bias", "v", "v.bias", ...(kvNorm === "own" ? ["kv_norm"] : [])];
        const found = names.filter((name) =>
          new RegExp(`^layers\\.${layer}\\.attn\\.(kv_norm|[kv](\\.bias)?)$`).test(name),
        );
        const expected = owner === layer ? parts.map((part) => `layers.${layer}.attn.${part}`) : [];
        expect(found.sort()).toEqual(expected.sort());
        expect(names).toContain(`layers.${layer}.attn.q`);
        expect(names).toContain(`layers.${layer}.attn.o`);
      }
      expect(new Set(names).size).toBe(names.length);
    }
  }
});

test("models that share a layer start it alike", () => {
  const seed = new Random(5);
  const [plain, shared] = [tinyConfig([0, 1, 2, 3]), tinyConfig([0, 0, 2, 2])].map((config) =>
    initialize(config, seed),
  );
  for (const [name, { data }] of Object.entries(shared ?? {})) expect(plain?.[name]?.data).toEqual(data);
});

test("initial values have the promised spread, output projections a smaller one", () => {
  const config = namedModel("H64-MQA-CLA2", { layers: 2, width: 256, mlpWidth: 688, vocab: 512 });
  const values = initialize(config, new Random(1));
  for (const { name, init, shape } of parameters(config)) {
    const data = values[name]?.data as Float32Array;
    if ("value" in init) expect(data.every((v) => v === init.value)).toBe(true);
    else {
      const spread = Math.sqrt(data.reduce((sum, v) => sum + v * v, 0) / data.length);
      expect(Math.abs(spread / init.std - 1), name).toBeLessThan(5 / Math.sqrt(2 * sizeOf(shape)));
      const base = Math.sqrt(1 / (3 * 256));
      expect(init.std).toBeCloseTo(/\.(o|down)$/.test(name) ? base / 2 : base, 12);
    }
  }
});
