// Our graphs, run by ONNX Runtime, against PyTorch: a float64 decoder in the paper authors' layout, made by
// `make-golden.py`. Every golden file in this folder is a case.

import { describe, expect, it } from "vitest";
import { gradient } from "../../src/autodiff/gradient.ts";
import { reshape, slice } from "../../src/graph/ops.ts";
import { input, trace } from "../../src/graph/trace.ts";
import type { Value } from "../../src/graph/value.ts";
import { causalStore } from "../../src/model/causal-store.ts";
import { crossEntropy } from "../../src/model/loss.ts";
import { parameters } from "../../src/model/parameters.ts";
import { logits, transformer, weightInputs, weightsOf } from "../../src/model/transformer.ts";
import { type Tensor, type Tensors, zeros } from "../../src/tensor/tensor.ts";
import { adamw, momentNames, stepScalars } from "../../src/train/optimizer.ts";
import { learningRate } from "../../src/train/schedule.ts";
import { updateGraph } from "../../src/train/step.ts";
import { compile } from "../runtime/program.ts";
import { type Curve, type Golden, goldens, type StoredGradient } from "./golden.ts";

const cases = goldens();

/** Float32 against float64, relative to the largest number of a tensor; measured are 3e-6 for gradients, 6e-6 for curves. */
const tolerance = 2e-5;

describe("the golden files", () => {
  it("cover the patterns and the kinds of heads", () => {
    const sharings = new Set(cases.map(({ config }) => config.sharing.join()));
    expect([...sharings].sort()).toEqual(["0,0,0,0", "0,0,2,2", "0,1,1,1", "0,1,1,3", "0,1,2,3"]);
    expect(new Set(cases.map(({ config }) => config.kvHeads))).toEqual(new Set([1, 2, 4]));
    expect(cases.filter(({ curve }) => curve).length).toBeGreaterThan(0);
  });
});

describe.each(cases)("PyTorch agrees: $name", (golden) => {
  it("has our parameters", () => {
    const shapes = (list: readonly { name: string; shape: readonly number[] }[]) =>
      Object.fromEntries(list.map(({ name, shape }) => [name, shape]));
    const stored = Object.entries(golden.parameters).map(([name, { shape }]) => ({ name, shape }));
    expect(shapes(stored)).toEqual(shapes(parameters(golden.config)));
  });

  it.each([
    ["", {}],
    [", attention in blocks of 5", { block: 5 }],
    [", recomputing every layer", { recompute: true }],
  ])("on logits, loss and every gradient%s", async (_, options) => {
    const found = await forwardAndBackward(golden, options);
    expect(worst(numbers(found.logits), golden.logits)).toBeLessThan(tolerance);
    expect(number(found.loss)).toBeCloseTo(golden.loss, 5);
    for (const [name, stored] of Object.entries(golden.gradients)) {
      const error = gradientError(found[`grad.${name}`] as Tensor, stored);
      expect(error, `gradient of ${name}`).toBeLessThan(tolerance);
    }
  });

  it("on the gradient norm before clipping, which is not the final norm's scale", async () => {
    const { length, batch, state } = start(golden);
    using program = await compile(updateGraph(golden.config, { batch, length, optimizer: adamw }));
    const out = await program.run({ ...state, ...stepScalars(adamw, 0, 0), tokens: tokens(golden.tokens) });
    expect(number(out.gradNorm) / golden.gradNorm).toBeCloseTo(1, 5);
    expect(out.norm?.data).toEqual(golden.parameters.norm?.data); // the rate is 0
    expect(golden.gradNorm).toBeGreaterThan(2); // far from where clipping would hide a difference
  });
});

const curves = cases.filter((golden): golden is Golden & { curve: Curve } => golden.curve !== undefined);

describe.each(curves)("20 steps of AdamW: $name", (golden) => {
  const { schedule, batches, float64, float32 } = golden.curve;

  it("has our learning rates", () => {
    const rates = batches.map((_, step) => learningRate(schedule, step));
    expect(worst(rates, float64.rates)).toBeLessThan(1e-12);
  });

  it("goes through clipped and unclipped steps", () => {
    expect(Math.max(...float64.norms)).toBeGreaterThan(2 * adamw.clip);
    expect(Math.min(...float64.norms)).toBeLessThan(adamw.clip / 2);
  });

  it("has PyTorch's losses, gradient norms and final parameters, updated in place", async () => {
    const { length, batch, state } = start(golden);
    using program = await compile(updateGraph(golden.config, { batch, length, optimizer: adamw }));
    const [losses, norms]: number[][] = [[], []];
    for (const [step, rows] of batches.entries()) {
      const scalars = stepScalars(adamw, step, learningRate(schedule, step));
      const out = await program.run({ ...state, ...scalars, tokens: tokens(rows) });
      losses?.push(number(out.loss));
      norms?.push(number(out.gradNorm));
    }
    for (const torch of [float64, float32]) {
      expect(worst(losses as number[], torch.losses)).toBeLessThan(tolerance);
      expect(worst(norms as number[], torch.norms)).toBeLessThan(tolerance);
      for (const [name, norm] of Object.entries(torch.final)) {
        const ours = Math.hypot(...numbers(state[name]));
        expect(Math.abs(ours / norm - 1), `final ${name}`).toBeLessThan(tolerance);
      }
    }
  });
});

async function forwardAndBackward(golden: Golden, { block, recompute }: { block?: number; recompute?: boolean }) {
  const { config } = golden;
  const { batch, length } = start(golden);
  const graph = trace(() => {
    const ids = input("tokens", "int32", [batch, length + 1]);
    const flat = (from: number) => reshape(slice(ids, 1, from, from + length), [batch * length]);
    const values = weightInputs(config);
    const weights = weightsOf(values);
    const kv = causalStore(config, { batch, length, ...(block ? { block } : {}) });
    const hidden = transformer(config, weights, flat(0), kv);
    const loss = crossEntropy(config, weights, hidden, flat(1));
    const options = recompute ? { recompute: (scope: string) => scope.startsWith("layers.") } : {};
    const gradients = gradient(loss, [...values.values()], options);
    const named = [...values.keys()].map((name, i) => [`grad.${name}`, gradients[i] as Value]);
    return { loss, logits: logits(config, weights, hidden), ...Object.fromEntries(named) };
  });
  using program = await compile(graph);
  return await program.run({ ...golden.parameters, tokens: tokens(golden.tokens) });
}

/** A fresh copy of a golden's parameters with zero moments, and the size of its batches. */
function start(golden: Golden): { batch: number; length: number; state: Tensors } {
  const state: Tensors = {};
  for (const [name, tensor] of Object.entries(golden.parameters)) {
    const { first, second } = momentNames(name);
    state[name] = { ...tensor, data: tensor.data.slice() };
    state[first] = zeros("float32", tensor.shape);
    state[second] = zeros("float32", tensor.shape);
  }
  return { batch: golden.tokens.length, length: (golden.tokens[0] as number[]).length - 1, state };
}

/** The largest difference, relative to the largest number expected or to `least`; infinite for NaN and other lengths. */
function worst(found: readonly number[], expected: readonly number[], least = 0): number {
  if (found.length !== expected.length || found.some(Number.isNaN)) return Number.POSITIVE_INFINITY;
  const scale = Math.max(least, ...expected.map(Math.abs));
  return Math.max(...found.map((number, i) => Math.abs(number - (expected[i] as number)))) / scale;
}

function gradientError({ shape, data }: Tensor, stored: StoredGradient): number {
  const found = Array.from(data as Float32Array);
  if ("all" in stored) return worst(found, stored.all);
  const [rows, columns] = shape as [number, number];
  const rowSums = Array.from({ length: rows }, (_, i) => total(found.slice(i * columns, (i + 1) * columns)));
  const columnSums = Array.from({ length: columns }, (_, j) => total(found.filter((_, i) => i % columns === j)));
  return Math.max(
    Math.abs(Math.hypot(...found) / stored.norm - 1),
    worst(rowSums, stored.rowSums, stored.norm / Math.sqrt(rows)), // a head's column sums cancel to 0
    worst(columnSums, stored.columnSums, stored.norm / Math.sqrt(columns)),
    worst(
      found.filter((_, i) => i % 37 === 0),
      stored.every37,
    ),
  );
}

function total(list: readonly number[]): number {
  return list.reduce((sum, number) => sum + number, 0);
}

function tokens(rows: readonly number[][]): Tensor<"int32"> {
  const data = Int32Array.from(rows.flat());
  return { dtype: "int32", shape: [rows.length, data.length / rows.length], data };
}

function numbers(tensor: Tensor | undefined): number[] {
  return Array.from((tensor?.data ?? []) as Float32Array);
}

function number(tensor: Tensor | undefined): number {
  return Number(tensor?.data[0]);
}
