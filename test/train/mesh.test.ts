// Several cards train as one does: two virtual ones of a CPU plugin, which reads XLA_FLAGS when it is loaded (this file has
// a process of its own).

import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Scorer } from "../../src/eval/scorer.ts";
import { namedModel } from "../../src/model/name.ts";
import { parameterLayouts, type Shard } from "../../src/model/parameter-layouts.ts";
import { initialize } from "../../src/model/parameters.ts";
import { share } from "../../src/model/sharing.ts";
import { type Device, putAll } from "../../src/runtime/device.ts";
import { openDevice } from "../../src/runtime/open-device.ts";
import { Random } from "../../src/tensor/random.ts";
import { adamw } from "../../src/train/optimizer.ts";
import { compileStep } from "../../src/train/step-programs.ts";
import { scratch } from "../files/scratch.ts";
import { tinyConfig } from "../model/tiny.ts";
import { hasPlugin } from "../runtime/devices.ts";
import { cpu2 } from "../runtime/program.ts";
import { bits, furthest, run } from "./short-run.ts";

process.env.XLA_FLAGS = "--xla_force_host_platform_device_count=2";

describe.skipIf(!hasPlugin)("two cards", async () => {
  const one = hasPlugin ? await openDevice("xla:1") : cpu2;
  const two = hasPlugin ? await openDevice("xla:0,1") : cpu2;
  afterAll(() => Promise.all([one, two].map((device) => device[Symbol.asyncDispose]())));
  const model = tinyConfig(share(4, 2), "GQA");
  const steps = { steps: 20 };

  test("are one device with a mesh", () => {
    expect(two.traits.mesh).toEqual({ data: 2, model: 1 });
    expect(two.name).toBe("xla:0,1");
  });

  test.each([
    ["the batch split", {}, undefined],
    ["the batch split, in micro-batches", { microBatch: 2 }, undefined],
    ["parameters and moments split as well", {}, "parameters"],
    ["parameters split, in micro-batches, recomputed", { microBatch: 2, recompute: true }, "parameters"],
  ] as const)("train as one does, %s", async (_, options, shard) => {
    const expected = await run(one, model, { ...steps, ...options });
    const found = await run(two, model, { ...steps, ...options }, shard ? { shard } : {});
    expect(found.losses).toHaveLength(20);
    expect(furthest(expected.losses, found.losses)).toBeLessThan(1e-4);
    expect(furthest(expected.norms, found.norms)).toBeLessThan(1e-3);
  });

  test("stopped and resumed, split, have the bits of a run that never stopped", async () => {
    const at = join(scratch(), "run");
    const whole = await run(two, model, {}, { shard: "parameters" });
    const first = await run(two, model, {}, { at, stop: 3, shard: "parameters" });
    const rest = await run(two, model, {}, { at, shard: "parameters" });
    expect([...first.losses, ...rest.losses]).toEqual(whole.losses);
    expect(bits(rest.weights)).toEqual(bits(whole.weights));
  });

  test("leave a checkpoint that one card goes on from", async () => {
    const at = join(scratch(), "run");
    const whole = await run(one, model);
    const first = await run(two, model, {}, { at, stop: 3, shard: "parameters" });
    const rest = await run(one, model, {}, { at });
    expect(furthest(whole.losses, [...first.losses, ...rest.losses])).toBeLessThan(1e-4);
  });

  test("split parameters, hold less each", async () => {
    const heavy = namedModel("H32-MQA-CLA2", { layers: 4, width: 128, mlpWidth: 512, vocab: 512, context: 8 });
    const recipe = { batch: 2, microBatch: 2, optimizer: adamw, recompute: false };
    const [whole, split] = [await compileStep(two, heavy, recipe), await compileStep(two, heavy, recipe, "parameters")];
    expect(split.update.bytes as number).toBeLessThan(0.8 * (whole.update.bytes as number));
    for (const programs of [whole, split]) programs[Symbol.dispose]();
  });

  test("score as one does, weights split or whole", async () => {
    const weights = initialize(model, new Random(5));
    const windows = Array.from({ length: 5 }, (_, i) => {
      const tokens = Int32Array.from({ length: model.context + 1 }, (_, t) => (7 * i + 3 * t) % model.vocab);
      return { inputs: tokens.subarray(0, -1), labels: tokens.subarray(1) };
    });
    const judged = async (device: Device, shard?: Shard) => {
      using scorer = await Scorer.create(device, model, { batch: 3, shard });
      const placed = putAll(device, weights, parameterLayouts(model, device.traits.mesh, shard));
      const found: number[] = [];
      for await (const { scores, best } of scorer.with(placed).judge(windows)) found.push(...scores, ...best);
      return found;
    };
    const expected = await judged(one);
    expect(expected).toHaveLength(10 * model.context);
    expect(furthest(expected, await judged(two))).toBeLessThan(1e-5);
    expect(furthest(expected, await judged(two, "parameters"))).toBeLessThan(1e-5);
  });

  test("refuse a micro-batch that does not divide", async () => {
    await expect(run(two, model, { batch: 3, microBatch: 3 })).rejects.toThrow(
      /micro-batch of 3 sequences does not divide over 2 cards/,
    );
  });
});
