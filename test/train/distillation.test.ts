import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { RunDirectory } from "../../src/checkpoint/run-directory.ts";
import { input, trace } from "../../src/graph/trace.ts";
import { causalStore } from "../../src/model/causal-store.ts";
import type { ModelConfig } from "../../src/model/config.ts";
import { distillationLoss } from "../../src/model/loss.ts";
import { parameters } from "../../src/model/parameters.ts";
import { share, unshared } from "../../src/model/sharing.ts";
import { logits, transformer, weightsOf } from "../../src/model/transformer.ts";
import type { Tensor, Tensors } from "../../src/tensor/tensor.ts";
import { recipe } from "../../src/train/recipe.ts";
import { teacherName } from "../../src/train/step.ts";
import { type Beginning, Trainer } from "../../src/train/trainer.ts";
import { train } from "../../src/train/training.ts";
import { lively, randomTokens, tinyConfig } from "../model/tiny.ts";
import { compile, cpu1 } from "../runtime/program.ts";

const scratch = mkdtempSync(join(tmpdir(), "crosslayer-distillation-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const student = tinyConfig(share(4, 2), "GQA");
const teacher = tinyConfig(unshared(4), "MHA");
const [own, taught] = [lively(student, 1), lively(teacher, 2)];

const batchOf = (seed: number) => randomTokens(student, [2, student.context + 1], seed);
const options = recipe({ steps: 6, batch: 2, learningRate: 3e-3, validateEvery: 0, checkpointEvery: 2, threads: 1 });

/** Batches that are told by their position. */
function batches() {
  let position = 0;
  return {
    next: () => ({ tokens: batchOf(100 + position++) }),
    get position() {
      return position;
    },
    seek: (to: number) => {
      position = to;
    },
  };
}

async function firstStep(config: ModelConfig, beginning: Beginning) {
  using trainer = await Trainer.create(cpu1, config, options, undefined, beginning);
  return (await trainer.step(() => batchOf(3))).report();
}

const bits = (tensors: Tensors) =>
  Object.entries(tensors).map(([name, { data }]) => [
    name,
    Buffer.from((data as Float32Array).slice().buffer).toString("hex"),
  ]);

describe("distillation", () => {
  it("is the loss of its definition, in one piece or several", async () => {
    const [batch, length] = [2, 8];
    const rows = batch * length;
    const tokens = randomTokens(student, [rows], 4);
    const labels = randomTokens(student, [rows], 5);
    const modelOf = (config: ModelConfig, name: (name: string) => string) => {
      const weights = weightsOf(
        new Map(parameters(config).map(({ name: own, shape }) => [own, input(name(own), "float32", shape)])),
      );
      return {
        weights,
        hidden: transformer(config, weights, input("tokens", "int32", [rows]), causalStore(config, { batch, length })),
      };
    };
    const given: Tensors = { ...own, tokens, labels };
    for (const [name, tensor] of Object.entries(taught)) given[teacherName(name)] = tensor;
    for (const elements of [1 << 20, 60]) {
      const graph = trace(() => {
        const [pupil, other] = [modelOf(student, (name) => name), modelOf(teacher, teacherName)];
        return {
          q: logits(student, pupil.weights, pupil.hidden),
          p: logits(teacher, other.weights, other.hidden),
          loss: distillationLoss(
            student,
            pupil.weights,
            pupil.hidden,
            input("labels", "int32", [rows]),
            { config: teacher, ...other, share: 0.3 },
            elements,
          ),
        };
      });
      using program = await compile(graph, { device: cpu1 });
      const { p, q, loss } = (await program.run(given)) as Record<string, Tensor<"float32">>;
      let expected = 0;
      for (let row = 0; row < rows; row++) {
        const [ps, qs] = [p, q].map((of) =>
          logProbabilities((of as Tensor<"float32">).data.subarray(row * student.vocab, (row + 1) * student.vocab)),
        );
        expected -= (0.7 * (qs?.[labels.data[row] as number] as number)) / rows;
        for (let v = 0; v < student.vocab; v++)
          expected -= (0.3 * Math.exp(ps?.[v] as number) * (qs?.[v] as number)) / rows;
      }
      expect(loss?.data[0]).toBeCloseTo(expected, 4);
    }
  });

  it("begins with the weights given, which stay as they are", async () => {
    const before = bits(own);
    const first = await firstStep(student, { weights: own });
    const random = await firstStep(student, {});
    expect(first.loss).not.toBeCloseTo(random.loss, 3);
    expect(
      (await firstStep(student, { weights: own, teacher: { config: teacher, weights: taught, share: 0 } })).loss,
    ).toBeCloseTo(first.loss, 4);
    expect(bits(own)).toEqual(before);
  });

  it("has nothing to learn from a teacher with the same weights, and no gradient for them", async () => {
    const { gradNorm } = await firstStep(student, {
      weights: own,
      teacher: { config: student, weights: own, share: 1 },
    });
    const { gradNorm: other } = await firstStep(student, {
      weights: own,
      teacher: { config: teacher, weights: taught, share: 1 },
    });
    expect(gradNorm).toBeLessThan(1e-4);
    expect(other).toBeGreaterThan(1e-2);
  });

  it("comes nearer to its teacher, with micro-batches and activations computed again as without", async () => {
    const losses = async (more: object) => {
      const steps = recipe({ ...options, steps: 12, batch: 2, ...more });
      const beginning = { weights: own, teacher: { config: teacher, weights: taught, share: 1 } };
      const found: number[] = [];
      const tokens = batchOf(9);
      const micro = (i: number): Tensor<"int32"> => {
        const size = tokens.data.length / 2;
        return { dtype: "int32", shape: [1, size], data: tokens.data.slice(i * size, (i + 1) * size) };
      };
      using trainer = await Trainer.create(cpu1, student, steps, undefined, beginning);
      for (let step = 0; step < 12; step++) {
        let i = 0;
        const pending = await trainer.step(() => (steps.microBatch === 2 ? tokens : micro(i++)));
        found.push((await pending.report()).loss);
      }
      return found;
    };
    const whole = await losses({});
    expect(whole.at(-1)).toBeLessThan(whole[0] as number);
    for (const more of [{ microBatch: 1 }, { recompute: true }]) {
      for (const [i, loss] of (await losses(more)).entries()) expect(loss).toBeCloseTo(whole[i] as number, 3);
    }
  });

  it("stopped and resumed is the run that never stopped, bit for bit, and leaves the teacher alone", async () => {
    const beginning = { weights: own, teacher: { config: teacher, weights: taught, share: 0.5 } };
    const before = bits(taught);
    const run = async (at: string, stop?: number) => {
      const path = join(scratch, at);
      const directory = RunDirectory.exists(path)
        ? await RunDirectory.open(path)
        : await RunDirectory.create(path, { name: "test", model: student, recipe: options, data: {} }, {});
      const controller = new AbortController();
      const steps = train({
        device: cpu1,
        model: student,
        recipe: options,
        batches: batches(),
        directory,
        beginning,
        signal: controller.signal,
      });
      for (;;) {
        const next = await steps.next();
        if (next.done) return next.value;
        if (next.value.step === stop) controller.abort();
      }
    };
    const whole = await run("whole");
    expect((await run("parts", 3)).finished).toBe(false);
    expect(bits((await run("parts")).weights)).toEqual(bits(whole.weights));
    expect(bits(taught)).toEqual(before);
  });
});

function logProbabilities(row: Float32Array): number[] {
  const most = Math.max(...row);
  const sum = Math.log(row.reduce((total, x) => total + Math.exp(x - most), 0)) + most;
  return [...row].map((x) => x - sum);
}
