// Training on XLA is training on the CPU: the same losses, checkpoints that one makes and the other continues, the same bits
// after a stop.

import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { RunDirectory } from "../../src/checkpoint/run-directory.ts";
import { share, unshared } from "../../src/model/sharing.ts";
import type { Device } from "../../src/runtime/device.ts";
import { openDevice } from "../../src/runtime/open-device.ts";
import { scratch } from "../files/scratch.ts";
import { type Heads, kvHeads, tinyConfig } from "../model/tiny.ts";
import { hasPlugin } from "../runtime/devices.ts";
import { cpu2 } from "../runtime/program.ts";
import { bits, furthest, run } from "./short-run.ts";

const kinds = Object.keys(kvHeads) as Heads[];

describe.skipIf(!hasPlugin)("on XLA", async () => {
  const xla = hasPlugin ? await openDevice("xla") : cpu2;
  afterAll(() => xla[Symbol.asyncDispose]());

  const sharings = { unshared: unshared(3), CLA2: share(3, 2), Tail: share(3, 3) };
  const models = Object.entries(sharings).flatMap(([name, sharing]) =>
    kinds.map((heads) => ({ name: `${name}, ${heads}`, model: tinyConfig(sharing, heads) })),
  );
  test.each(models)("trains as the CPU does: $name", async ({ model }) => {
    const [expected, found] = [await run(cpu2, model), await run(xla, model)];
    expect(found.losses).toHaveLength(8);
    expect(furthest(expected.losses, found.losses)).toBeLessThan(1e-4);
    expect(furthest(expected.norms, found.norms)).toBeLessThan(1e-3);
  });

  test.each([{ microBatch: 2 }, { recompute: true }, { microBatch: 1, recompute: true }])(
    "with %o",
    async (options) => {
      const model = tinyConfig(share(4, 2), "GQA");
      const [expected, found] = [await run(cpu2, model, options), await run(xla, model, options)];
      expect(furthest(expected.losses, found.losses)).toBeLessThan(1e-4);
    },
  );

  test("in bfloat16 learns nearly alike, and not the same", async () => {
    const model = tinyConfig(share(4, 2), "GQA");
    const [exact, rounded] = [await run(xla, model), await run(xla, model, { precision: "bfloat16" })];
    const off = furthest(exact.losses, rounded.losses);
    expect(off).toBeGreaterThan(1e-6);
    expect(off).toBeLessThan(0.02);
  });

  test("stopped and resumed has the bits of a run that never stopped", async () => {
    const model = tinyConfig(share(4, 2), "MQA");
    const at = join(scratch(), "run");
    const whole = await run(xla, model);
    const first = await run(xla, model, {}, { at, stop: 3 });
    const rest = await run(xla, model, {}, { at });
    expect([...first.losses, ...rest.losses]).toEqual(whole.losses);
    expect(bits(rest.weights)).toEqual(bits(whole.weights));
  });

  test("says when the program is another than before the stop, and only then", async () => {
    const model = tinyConfig(share(4, 2), "MQA");
    const at = join(scratch(), "run");
    await run(xla, model, {}, { at, stop: 3 });
    const warnings: string[] = [];
    await run(xla, model, {}, { at, stop: 5, warnings });
    expect(warnings).toEqual([]);
    const directory = await RunDirectory.open(at);
    const checkpoint = await directory.loadCheckpoint();
    await directory.saveCheckpoint(checkpoint?.tensors ?? {}, { ...checkpoint?.state, program: "another" });
    await run(xla, model, {}, { at, warnings });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("bits may differ");
  });

  test("says on a device that adds in no fixed order that bits may differ", async () => {
    const model = tinyConfig(share(4, 2), "MQA");
    const at = join(scratch(), "run");
    const unordered: Device = {
      ...{ name: "card", kind: cpu2.kind, runtime: cpu2.runtime, traits: { ...cpu2.traits, repeatable: false } },
      freeBytes: () => cpu2.freeBytes(),
      put: (tensor, layout) => cpu2.put(tensor, layout),
      clear: (buffers) => cpu2.clear(buffers),
      compile: (graph, options) => cpu2.compile(graph, options),
      [Symbol.asyncDispose]: async () => {},
    };
    const warnings: string[] = [];
    await run(unordered, model, {}, { at, stop: 3, warnings });
    expect(warnings).toEqual([]);
    await run(unordered, model, {}, { at, warnings });
    expect(warnings).toEqual(["card adds in no fixed order; bits may differ from those of a run that never stopped"]);
  });

  test("a checkpoint that cannot be written ends the run with that error", async () => {
    const at = join(scratch(), "run");
    const failing = vi.spyOn(RunDirectory.prototype, "saveCheckpoint").mockRejectedValue(new Error("the disk is full"));
    try {
      await expect(run(xla, tinyConfig(share(4, 2), "MQA"), { checkpointEvery: 2 }, { at })).rejects.toThrow(
        "the disk is full",
      );
    } finally {
      failing.mockRestore();
    }
  });

  test.each([
    [xla, cpu2],
    [cpu2, xla],
  ])("a checkpoint goes on elsewhere", async (before, after) => {
    const model = tinyConfig(share(4, 2), "MQA");
    const at = join(scratch(), "run");
    const whole = await run(cpu2, model);
    const first = await run(before, model, {}, { at, stop: 3 });
    const rest = await run(after, model, {}, { at });
    expect(furthest(whole.losses, [...first.losses, ...rest.losses])).toBeLessThan(1e-4);
  });
});
