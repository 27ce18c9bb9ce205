import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { RunDirectory } from "../../src/checkpoint/run-directory.ts";
import { namedModel } from "../../src/model/name.ts";
import { type Buffers, readAll } from "../../src/runtime/device.ts";
import { fromBfloat16, toBfloat16 } from "../../src/tensor/half.ts";
import { Random } from "../../src/tensor/random.ts";
import type { Tensors } from "../../src/tensor/tensor.ts";
import { Batches } from "../../src/text/batches.ts";
import { type RecipeOptions, recipe } from "../../src/train/recipe.ts";
import { type TrainStep, train } from "../../src/train/training.ts";
import { cpu2 } from "../runtime/program.ts";

const scratch = mkdtempSync(join(tmpdir(), "crosslayer-training-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const model = namedModel("H8-MQA-CLA2", { layers: 4, width: 32, mlpWidth: 64, vocab: 40, context: 16 });

/** A text in which each token follows from the one before, now and then disturbed. */
function text(length: number) {
  const random = new Random(5);
  const ids = Int32Array.from({ length }, () => 0);
  for (let i = 1; i < length; i++) {
    const from = ids[i - 1] as number;
    ids[i] = random.uniform() < 0.1 ? random.below(40) : (from * 7 + 3) % 40;
  }
  return { tokens: length, read: (start: number, count: number) => ids.subarray(start, start + count) };
}

async function run(options: Partial<RecipeOptions>, { at, stop }: { at?: string; stop?: number } = {}) {
  const resolved = recipe({
    steps: 12,
    batch: 4,
    learningRate: 5e-3,
    seed: 3,
    threads: 2,
    validateEvery: 0,
    ...options,
  });
  const batches = new Batches(text(400), { batch: resolved.microBatch, context: model.context, seed: 3 });
  const path = at === undefined ? undefined : join(scratch, at);
  const stored = { name: "test", model, recipe: resolved, data: {} };
  const directory =
    path === undefined
      ? undefined
      : RunDirectory.exists(path)
        ? await RunDirectory.open(path)
        : await RunDirectory.create(path, stored, {});
  const controller = new AbortController();
  const steps: TrainStep[] = [];
  const training = train({
    device: cpu2,
    model,
    recipe: resolved,
    batches,
    signal: controller.signal,
    ...(directory ? { directory } : {}),
  });
  for (;;) {
    const next = await training.next();
    if (next.done) return { steps, directory, ...next.value };
    steps.push(next.value);
    if (next.value.step === stop) controller.abort();
  }
}

const bits = (weights: Tensors) =>
  Object.entries(weights).map(([name, { data }]) => [
    name,
    Buffer.from((data as Float32Array).slice().buffer).toString("base64"),
  ]);
const losses = (steps: readonly TrainStep[]) => steps.map(({ loss }) => loss);

describe("training", () => {
  it("learns", async () => {
    const { steps } = await run({ steps: 80, learningRate: 1e-2 });
    expect(steps[0]?.loss).toBeGreaterThan(3.5);
    expect(steps.at(-1)?.loss).toBeLessThan(2);
  });

  for (const [name, options] of Object.entries({
    plain: {},
    "micro-batches": { microBatch: 2 },
    "recomputing activations": { recompute: true },
  })) {
    it(`stopped twice and resumed is the run that never stopped, bit for bit: ${name}`, async () => {
      const whole = await run(options);
      const at = `resume-${name}`;
      const first = await run(options, { at, stop: 3 });
      expect(first.finished).toBe(false);
      const second = await run(options, { at, stop: 8 });
      const third = await run(options, { at });
      expect(third.finished).toBe(true);
      expect([...losses(first.steps), ...losses(second.steps), ...losses(third.steps)]).toEqual(losses(whole.steps));
      expect(bits(third.weights)).toEqual(bits(whole.weights));
      const rows = await third.directory?.metrics<TrainStep>();
      expect(rows?.map(({ step, loss }) => [step, loss])).toEqual(whole.steps.map(({ step, loss }) => [step, loss]));
      expect(bits((await (third.directory as RunDirectory).loadModel()).tensors)).toEqual(bits(whole.weights));
    });
  }

  it("goes on from the last checkpoint where steps after it were lost", async () => {
    const whole = await run({});
    const at = "lost";
    await run({ checkpointEvery: 4 }, { at, stop: 4 });
    const directory = await RunDirectory.open(join(scratch, at));
    await directory.appendMetrics({ step: 5, loss: 123 }); // a step whose checkpoint a kill prevented
    const rest = await run({ checkpointEvery: 4 }, { at });
    expect(losses(rest.steps)).toEqual(losses(whole.steps).slice(4));
    const rows = await directory.metrics<TrainStep>();
    expect(rows.map(({ loss }) => loss)).toEqual(losses(whole.steps));
  });

  it("keeps the final weights in bfloat16 where it is asked to, and gives them as they are to who finishes", async () => {
    const whole = await run({});
    const { directory, weights } = await run({ saveDtype: "bfloat16" }, { at: "bfloat16" });
    expect(bits(weights)).toEqual(bits(whole.weights));
    const kept = await (directory as RunDirectory).loadModel();
    for (const [name, { data }] of Object.entries(kept.tensors)) {
      const wanted = Float32Array.from(whole.weights[name]?.data as Float32Array, (x) => fromBfloat16(toBfloat16(x)));
      expect(data, name).toEqual(wanted);
    }
    const sizes = ["bfloat16", "resume-plain"].map((at) => statSync(join(scratch, at, "model.safetensors")).size);
    expect(sizes[0]).toBeLessThan(0.75 * (sizes[1] as number));
  });

  it("reads a batch while a device that may run ahead computes the one before", async () => {
    const ahead = new Proxy(cpu2, {
      get(device, name) {
        if (name === "traits") return { ...device.traits, runsAhead: 1 };
        const found = Reflect.get(device, name);
        return typeof found === "function" ? found.bind(device) : found;
      },
    });
    const resolved = recipe({ steps: 5, batch: 4, validateEvery: 0, checkpointEvery: 0 });
    const batches = new Batches(text(400), { batch: 4, context: model.context, seed: 3 });
    const read: number[] = [];
    let given: Tensors = {};
    const finish = async (weights: Buffers) => {
      given = await readAll(weights);
    };
    const steps = train({ device: ahead, model, recipe: resolved, batches, finish });
    for (;;) {
      const next = await steps.next();
      if (next.done) {
        expect(bits(given)).toEqual(bits(next.value.weights));
        break;
      }
      read.push(batches.position / 4);
    }
    expect(read).toEqual([2, 3, 4, 5, 5]);
  });

  it("accumulates micro-batches to the step of the whole batch", async () => {
    const whole = await run({ steps: 6 });
    const parts = await run({ steps: 6, microBatch: 1 });
    for (const [i, loss] of losses(parts.steps).entries())
      expect(loss).toBeCloseTo(losses(whole.steps)[i] as number, 4);
    for (const [i, { gradNorm }] of parts.steps.entries())
      expect(gradNorm).toBeCloseTo(whole.steps[i]?.gradNorm ?? 0, 3);
  });

  it("stops where the loss is no number, naming step, learning rate and what to try, and keeps the checkpoint", async () => {
    const at = "diverged";
    const diverging = run(
      { steps: 50, learningRate: 90, warmup: 0, checkpointEvery: 1, optimizer: { clip: 1e30 } },
      { at },
    );
    await expect(diverging).rejects.toThrow(
      /^training: step \d+ gave loss .* at learning rate .*; try a peak below 45/,
    );
    const kept = await (await RunDirectory.open(join(scratch, at))).loadCheckpoint();
    const finite = Object.values(kept?.tensors ?? {}).every(({ data }) =>
      (data as Float32Array).every(Number.isFinite),
    );
    expect(kept === undefined || finite).toBe(true);
  });
});
