import { afterAll, describe, expect, it } from "vitest";
import { namedModel } from "../../src/model/name.ts";
import { openDevice } from "../../src/runtime/open-device.ts";
import { checkOnCard, fittingOnCard } from "../../src/train/card-memory.ts";
import { adamw } from "../../src/train/optimizer.ts";
import { compileStep } from "../../src/train/step-programs.ts";
import { hasPlugin } from "../runtime/devices.ts";
import { cpu2 } from "../runtime/program.ts";

const config = namedModel("H16-MQA-CLA2", { layers: 2, width: 32, mlpWidth: 64, vocab: 300, context: 32 });
const recipe = { batch: 8, optimizer: adamw, recompute: false };

describe.skipIf(!hasPlugin)("a step on a card", async () => {
  const device = hasPlugin ? await openDevice("xla") : cpu2;
  afterAll(() => device[Symbol.asyncDispose]());
  const bytes = async (microBatch: number) => {
    using programs = await compileStep(device, config, { ...recipe, microBatch });
    return programs.update.bytes as number;
  };

  it("takes the largest micro-batch that the compiled program fits with", async () => {
    const [whole, half] = [await bytes(8), await bytes(4)];
    expect(half).toBeLessThan(whole);
    expect(await fittingOnCard(device, { config, recipe, available: whole })).toBe(8);
    expect(await fittingOnCard(device, { config, recipe, available: whole - 1 })).toBe(4);
    expect(await fittingOnCard(device, { config, recipe, available: await bytes(2) })).toBe(2);
  });

  it("is refused where it does not fit, with what would", async () => {
    const available = await bytes(2);
    await expect(checkOnCard(device, { config, recipe, available }, 8)).rejects.toThrow(
      /--micro-batch: a step with 8 sequences needs .* on xla, .* can be used; at most 2 fit/,
    );
    await expect(checkOnCard(device, { config, recipe, available }, 2)).resolves.toBeUndefined();
    await expect(fittingOnCard(device, { config, recipe, available: 1000 })).rejects.toThrow(
      /a training step with one sequence of 32 tokens needs .* on xla, 1,000 B can be used; try --recompute, a smaller/,
    );
  });
});

it("where the runtime tells no bytes, takes the whole batch", async () => {
  expect(await fittingOnCard(cpu2, { config, recipe, available: 1 })).toBe(8);
});
