// What a run takes, foretold: by steps that are taken, or by a share of a card's published peak.

import { expect, it } from "vitest";
import { flopsPerToken } from "../../src/model/cost.ts";
import { namedModel } from "../../src/model/name.ts";
import { openDevice } from "../../src/runtime/open-device.ts";
import { recipe } from "../../src/train/recipe.ts";
import { compileStep } from "../../src/train/step-programs.ts";
import { trainPlan } from "../../src/train/train-plan.ts";
import { hasPlugin } from "../runtime/devices.ts";
import { cpu2 } from "../runtime/program.ts";

const config = namedModel("H16-MQA-CLA2", { layers: 2, width: 32, mlpWidth: 64, vocab: 300, context: 32 });
const asked = recipe({ steps: 100, batch: 4 });

/** The device, said to be a card that is sold with 989 TF/s. */
const card = new Proxy(cpu2, {
  get(device, name) {
    if (name === "kind") return "NVIDIA H200";
    const found = Reflect.get(device, name);
    return typeof found === "function" ? found.bind(device) : found;
  },
});

it("assumes a share of the peak where it is asked to", async () => {
  const plan = await trainPlan(card, config, asked, { mfu: 0.4 });
  const flops = 3 * flopsPerToken(config, 16) * 4 * 32;
  expect(plan.secondsPerStep).toBeCloseTo(flops / (0.4 * 989e12), 20);
  expect(plan).toMatchObject({ measuredSteps: 0, peak: 989e12, mfu: expect.closeTo(0.4, 10) });
  expect(plan.seconds).toBeCloseTo(100 * plan.secondsPerStep, 15);
});

it("measures where it is not, and tells the share", async () => {
  const plan = await trainPlan(card, config, asked);
  expect(plan.measuredSteps).toBeGreaterThan(0);
  expect(plan.mfu).toBeCloseTo((plan.tokensPerSecond * 3 * flopsPerToken(config, 16)) / 989e12, 15);
});

it.skipIf(!hasPlugin)("counts memory as the compiler does", async () => {
  await using device = await openDevice("xla");
  const plan = await trainPlan(device, config, asked);
  using programs = await compileStep(device, config, plan.recipe);
  expect(plan.stepBytes).toBe(programs.update.bytes);
});
