// Bytes of weights, against the tensors that really hold them.

import { describe, expect, test } from "vitest";
import { parameterCount } from "../../src/model/cost.ts";
import { namedModel, scales } from "../../src/model/name.ts";
import { initialize, parameters } from "../../src/model/parameters.ts";
import { quantizeWeights } from "../../src/model/quantized-weights.ts";
import { allSharings } from "../../src/model/sharing.ts";
import { keptTensors, tensorBytes, weightBytes } from "../../src/plan/weight-bytes.ts";
import { Random } from "../../src/tensor/random.ts";
import { tinyConfig } from "../model/tiny.ts";

const biases = { qkv: true, output: true, mlp: true };
const configs = allSharings(3).flatMap((sharing) =>
  [true, false].flatMap((tiedEmbeddings) => [
    tinyConfig(sharing, "GQA", { tiedEmbeddings, width: 40, mlpWidth: 70 }), // blocks of 32 are cut short
    tinyConfig(sharing, "MQA", { tiedEmbeddings, biases, kvNorm: "shared" }),
  ]),
);

describe.each(["int8", "int4", "w8a8"] as const)("%s", (dtype) => {
  test("weights take what the rounded tensors take", () => {
    for (const config of configs) {
      const tensors = quantizeWeights(config, initialize(config, new Random(1)), dtype);
      const bytes = Object.values(tensors).reduce((sum, { data }) => sum + data.byteLength, 0);
      expect(weightBytes(config, dtype)).toBe(bytes);
    }
  });

  test("a tied table is there twice: to look up and, rounded, to score with", () => {
    const config = tinyConfig([0, 0], "MQA", { tiedEmbeddings: true });
    const [embed, head] = ["embed", "head"].map((name) =>
      keptTensors(config, dtype).find((kept) => kept.name === name),
    );
    expect([embed?.rounded, head?.rounded]).toEqual([false, true]);
  });
});

test("floating point takes 4 or 2 bytes of every parameter", () => {
  for (const config of configs) {
    const { total } = parameterCount(config);
    expect(weightBytes(config, "float32")).toBe(4 * total);
    expect(weightBytes(config, "float16")).toBe(2 * total);
    expect(keptTensors(config, "float16").map(({ name }) => name)).toEqual(parameters(config).map(({ name }) => name));
  }
});

test("a matrix of 100 inputs has 4 blocks of 32 in each row: 36 bytes each in 8 bits, 20 in 4", () => {
  const matrix = { name: "layers.0.attn.q", shape: [10, 100], rounded: true };
  expect([tensorBytes(matrix, "int8"), tensorBytes(matrix, "int4")]).toEqual([10 * 4 * 36, 10 * 4 * 20]);
  expect(tensorBytes(matrix, "w8a8")).toBe(10 * 104); // a scale a row
});

test("the paper's 1B model: 16 bits take half of 32, 8 and 4 bits less, down to the float32 table", () => {
  const config = namedModel("H128-MQA-CLA2", { ...scales["1b"], tiedEmbeddings: false });
  const table = 4 * config.vocab * config.width;
  const rest = parameterCount(config).total - config.vocab * config.width;
  expect((weightBytes(config, "int8") - table) / rest).toBeCloseTo(1 + 4 / 32, 2);
  expect((weightBytes(config, "int4") - table) / rest).toBeCloseTo(1 / 2 + 4 / 32, 2);
});
