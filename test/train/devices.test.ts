// Training on XLA is training on the CPU: the same losses, checkpoints that one makes and the other continues, the same bits
// after a stop.

import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { RunDirectory } from "../../src/checkpoint/run-directory.ts";
import type { ModelConfig } from "../../src/model/config.ts";
import { share, unshared } from "../../src/model/sharing.ts";
import type { Device } from "../../src/runtime/device.ts";
import { openDevice } from "../../src/runtime/open-device.ts";
import { Random } from "../../src/tensor/random.ts";
import type { Tensor, Tensors } from "../../src/tensor/tensor.ts";
import { type RecipeOptions, recipe } from "../../src/train/recipe.ts";
import { type TrainStep, train } from "../../src/train/training.ts";
import { scratch } from "../files/scratch.ts";
import { type Heads, kvHeads, tinyConfig } from "../model/tiny.ts";
import { hasPlugin } from "../runtime/devices.ts";
import { cpu2 } from "../runtime/program.ts";

interface Run {
  readonly losses: number[];
  readonly norms: number[];
  readonly weights: Tensors;
}

async function run(
  device: Device,
  model: ModelConfig,
  options: Partial<RecipeOptions> = {},
  { at, stop }: { at?: string; stop?: number } = {},
): Promise<Run> {
  const resolved = recipe({
    steps: 8,
    batch: 4,
    learningRate: 1e-2,
    seed: 3,
    threads: 2,
    validateEvery: 0,
    ...options,
  });
  let position = 0;
  const batches = {
    next: () => ({ tokens: batchAt(model, resolved.microBatch, position++) }),
    get position() {
      return position;
    },
    seek: (to: number) => {
      position = to;
    },
  };
  const stored = { name: "test", model, recipe: resolved, data: {} };
  const directory =
    at && (RunDirectory.exists(at) ? await RunDirectory.open(at) : await RunDirectory.create(at, stored, {}));
  const controller = new AbortController();
  const steps: TrainStep[] = [];
  const training = train({
    ...{ device, model, recipe: resolved, batches, signal: controller.signal },
    ...(directory ? { directory } : {}),
  });
  for (;;) {
    const next = await training.next();
    if (next.done) {
      const { weights } = next.value;
      return { losses: steps.map(({ loss }) => loss), norms: steps.map(({ gradNorm }) => gradNorm), weights };
    }
    steps.push(next.value);
    if (next.value.step === stop) controller.abort();
  }
}

/** Random tokens of a batch, fixed by its number. */
function batchAt({ vocab, context }: ModelConfig, count: number, position: number): Tensor<"int32"> {
  const random = new Random(1000 + position);
  const data = Int32Array.from({ length: count * (context + 1) }, () => random.below(vocab));
  return { dtype: "int32", shape: [count, context + 1], data };
}

const kinds = Object.keys(kvHeads) as Heads[];

function furthest(a: readonly number[], b: readonly number[]): number {
  return Math.max(...a.map((x, i) => Math.abs(x - (b[i] as number)) / Math.max(1, Math.abs(x))));
}

const bits = (weights: Tensors) =>
  Object.entries(weights).map(([name, { data }]) => [
    name,
    Buffer.from(new Uint8Array(data.buffer)).toString("base64"),
  ]);

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
