import { describe, expect, test } from "vitest";
import { calibrate } from "../../src/convert/calibration.ts";
import { converted, type Making, mergeMaker } from "../../src/convert/convert.ts";
import { changes, targetConfig } from "../../src/convert/target.ts";
import { streamLoss } from "../../src/eval/perplexity.ts";
import { Scorer } from "../../src/eval/scorer.ts";
import type { ModelConfig } from "../../src/model/config.ts";
import { parameters } from "../../src/model/parameters.ts";
import { share, unshared } from "../../src/model/sharing.ts";
import { parameterName } from "../../src/model/sites.ts";
import { putAll } from "../../src/runtime/device.ts";
import type { Tensor, Tensors } from "../../src/tensor/tensor.ts";
import { lively, logitsGraph, randomTokens, tinyConfig } from "../model/tiny.ts";
import { compile, cpu1 } from "../runtime/program.ts";

const everything = { qkv: true, output: true, mlp: true };
const configs: Record<string, ModelConfig> = {
  MHA: tinyConfig(unshared(4), "MHA"),
  GQA: tinyConfig(unshared(4), "GQA"),
  "MQA, biases": tinyConfig(unshared(4), "MQA", { biases: everything }),
  "GQA, one norm": tinyConfig(unshared(4), "GQA", { kvNorm: "shared" }),
  "GQA, head norms before": tinyConfig(unshared(4), "GQA", { headNorms: "before" }),
  "MHA, head norms after": tinyConfig(unshared(4), "MHA", { headNorms: "after" }),
  "MHA, already CLA2": tinyConfig(share(4, 2), "MHA"),
};
const inits = ["owner", "mean", "fit"] as const;

const windowsOf = (config: ModelConfig, seed: number) =>
  Array.from({ length: 4 }, (_, i) => randomTokens(config, [4, config.context], seed + i));

async function makingOf(config: ModelConfig, weights: Tensors, target: ModelConfig, init: (typeof inits)[number]) {
  if (init !== "fit") return { init } satisfies Making;
  const moments = await calibrate(cpu1, config, weights, windowsOf(config, 5), changes(config, target));
  return { init, moments } satisfies Making;
}

async function convert(config: ModelConfig, weights: Tensors, target: ModelConfig, init: (typeof inits)[number]) {
  const making = await makingOf(config, weights, target, init);
  return converted(config, weights, target, mergeMaker(config, weights, target.kvHeads, making));
}

async function logits(config: ModelConfig, weights: Tensors): Promise<Float32Array> {
  using program = await compile(logitsGraph(config, { batch: 4, length: config.context }));
  const tokens = randomTokens(config, [4 * config.context], 3);
  return (await program.run({ ...weights, tokens })).logits?.data as Float32Array;
}

const furthest = (a: Float32Array, b: Float32Array) => Math.max(...a.map((x, i) => Math.abs(x - (b[i] as number))));
const spread = (a: Float32Array) => Math.sqrt(a.reduce((sum, x) => sum + x * x, 0) / a.length);

describe("conversion", () => {
  test.each(Object.entries(configs))("to itself is lossless to the bit: %s", async (_, config) => {
    const weights = lively(config, 1);
    for (const init of inits) {
      const made = await convert(config, weights, targetConfig(config, {}), init);
      expect(Object.keys(made)).toEqual(parameters(config).map(({ name }) => name));
      for (const [name, tensor] of Object.entries(made)) expect(tensor).toBe(weights[name]);
    }
  });

  test.each(
    Object.entries(configs).flatMap(([name, config]) =>
      inits.map((init) => [`${name}, ${init}`, config, init] as const),
    ),
  )("to fewer owners and heads has every parameter in its shape, and leaves the rest: %s", async (_, config, init) => {
    const weights = lively(config, 1);
    const target = targetConfig(config, { sharing: share(4, 4), kvHeads: 1 });
    const made = await convert(config, weights, target, init);
    expect(Object.keys(made)).toEqual(parameters(target).map(({ name }) => name));
    for (const { name, shape } of parameters(target)) {
      expect(made[name]?.shape).toEqual(shape);
      expect((made[name] as Tensor<"float32">).data.every(Number.isFinite)).toBe(true);
      if (!name.includes(".attn.")) expect(made[name]).toBe(weights[name]);
    }
  });

  test("owner keeps the owner's projections, mean gives the mean of the group's", async () => {
    const config = configs.GQA as ModelConfig;
    const weights = lively(config, 1);
    const target = targetConfig(config, { sharing: share(4, 2) });
    const [own, mean] = [
      await convert(config, weights, target, "owner"),
      await convert(config, weights, target, "mean"),
    ];
    for (const site of ["attn.k", "attn.v", "attn.kv_norm"] as const) {
      const [first, second] = [0, 1].map((layer) => weights[parameterName(site, layer)] as Tensor<"float32">);
      expect(own[parameterName(site, 0)]?.data).toEqual(first?.data);
      const expected = first?.data.map((x, i) => Math.fround((x + (second?.data[i] as number)) / 2));
      expect(mean[parameterName(site, 0)]?.data).toEqual(expected);
    }
  });

  test("mean of heads is the mean of their rows", async () => {
    const config = configs.MHA as ModelConfig;
    const weights = lively(config, 1);
    const made = await convert(config, weights, targetConfig(config, { kvHeads: 2 }), "mean");
    const keys = (tensors: Tensors) => tensors[parameterName("attn.k", 1)]?.data as Float32Array;
    const row = (data: Float32Array, i: number) => data.subarray(i * 8, (i + 1) * 8);
    const [a, b] = [row(keys(weights), 2), row(keys(weights), 6)]; // dimension 2 of heads 0 and 1
    expect([...row(keys(made), 2)]).toEqual([...a].map((x, i) => Math.fround((x + (b[i] as number)) / 2)));
  });

  // A model whose layers hold the same keys and values, each in a basis and an order of heads of its own: nothing need be
  // lost, and only a fit that turns pairs, bases and heads back loses nothing.
  test.each(["MHA", "GQA", "MQA, biases"])("fit finds what layers have in common: %s", async (name) => {
    const config = configs[name] as ModelConfig;
    const twin = disguised(config, lively(config, 1));
    const before = await logits(config, twin);
    const target = targetConfig(config, { sharing: share(4, 2) });
    const after = await logits(target, await convert(config, twin, target, "fit"));
    const owner = await logits(target, await convert(config, twin, target, "owner"));
    expect(furthest(before, after)).toBeLessThan(2e-2 * spread(before));
    expect(furthest(before, owner)).toBeGreaterThan(0.3 * spread(before));
  });

  test.each(["MHA", "GQA", "GQA, head norms before", "MHA, head norms after"])(
    "fit loses less than owner and mean where layers differ: %s",
    async (name) => {
      const config = configs[name] as ModelConfig;
      const weights = lively(config, 1);
      const target = targetConfig(config, { sharing: share(4, 2) });
      const teacher = await logits(config, weights);
      const errors: Record<string, number> = {};
      for (const init of inits) {
        const made = await logits(target, await convert(config, weights, target, init));
        errors[init] = spread(made.map((x, i) => x - (teacher[i] as number)));
      }
      expect(errors.fit).toBeLessThan(Math.min(errors.owner as number, errors.mean as number));
    },
  );

  test("a converted model is scored as any other", async () => {
    const config = configs.GQA as ModelConfig;
    const target = targetConfig(config, { sharing: share(4, 2) });
    const made = await convert(config, lively(config, 1), target, "fit");
    using scorer = await Scorer.create(cpu1, target);
    const inputs = randomTokens(config, [8], 1).data;
    expect(await streamLoss(scorer.with(putAll(cpu1, made)), [{ inputs, labels: inputs }])).toBeGreaterThan(0);
  });
});

describe("a target", () => {
  const config = configs["MHA, already CLA2"] as ModelConfig;
  test.each([
    [{ kvHeads: 3 }, "kvHeads: 4 KV heads cannot be merged to 3; use 1, 2, 4"],
    [{ sharing: [0, 1, 1, 1] }, "sharing: layer 1 would own keys and values, but borrows those of layer 0"],
    [{ sharing: [0, 0, 2, 0] }, "sharing: layers 2 and 3 share in the model that is converted and would part"],
  ])("%j is refused, saying why", (options, message) => {
    expect(() => targetConfig(config, options)).toThrow(message);
  });
});

/**
 * Layers 1 and 3 get the projections of the layers before them, each head's pairs turned and values mixed, heads in
 * reverse. Attention and MLP of layers 0 and 2 add nothing, so that both layers of a group see one residual stream.
 */
function disguised(config: ModelConfig, weights: Tensors): Tensors {
  const { kvHeads, headDim, width } = config;
  const half = headDim / 2;
  const made: Tensors = { ...weights };
  const clone = (name: string) => {
    const tensor = made[name] as Tensor<"float32"> | undefined;
    return tensor && { ...tensor, data: tensor.data.slice() };
  };
  for (const layer of [0, 2]) {
    const silent = [parameterName("attn.o", layer), parameterName("mlp.down", layer)];
    for (const name of silent.flatMap((name) => [name, `${name}.bias`])) {
      const tensor = clone(name);
      if (tensor) made[name] = { ...tensor, data: tensor.data.fill(0) };
    }
    const other = layer + 1;
    for (const site of ["attn.norm", "attn.kv_norm"] as const) {
      made[parameterName(site, other)] = made[parameterName(site, layer)] as Tensor;
    }
    const turn = 0.7;
    const [re, im] = [2 * Math.cos(turn), 2 * Math.sin(turn)];
    for (const suffix of ["", ".bias"]) {
      const columns = suffix === "" ? width : 1;
      const key = clone(parameterName("attn.k", layer) + suffix);
      const value = clone(parameterName("attn.v", layer) + suffix);
      if (!key || !value) continue;
      const [k, v] = [key.data.slice(), value.data.slice()];
      for (let head = 0; head < kvHeads; head++) {
        const from = kvHeads - 1 - head;
        const at = (of: number, dim: number, column: number) => (of * headDim + dim) * columns + column;
        for (let column = 0; column < columns; column++) {
          for (let pair = 0; pair < half; pair++) {
            const a = key.data[at(from, pair, column)] as number;
            const b = key.data[at(from, pair + half, column)] as number;
            k[at(head, pair, column)] = re * a - im * b;
            k[at(head, pair + half, column)] = re * b + im * a;
          }
          for (let dim = 0; dim < headDim; dim++) {
            const own = value.data[at(from, dim, column)] as number;
            const next = value.data[at(from, (dim + 1) % headDim, column)] as number;
            v[at(head, dim, column)] = own + 0.5 * next;
          }
        }
      }
      made[parameterName("attn.k", other) + suffix] = { ...key, data: k };
      made[parameterName("attn.v", other) + suffix] = { ...value, data: v };
    }
  }
  return made;
}
