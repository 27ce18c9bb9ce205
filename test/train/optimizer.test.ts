// AdamW in ONNX Runtime against the textbook's loop in float64: moments, bias correction, decay and clipping.

import { describe, expect, test } from "vitest";
import { type Graph, input, trace } from "../../src/graph/trace.ts";
import { type Parameter, parameters as parametersOf } from "../../src/model/parameters.ts";
import { Random } from "../../src/tensor/random.ts";
import { sizeOf, type Tensor, type Tensors, zeros } from "../../src/tensor/tensor.ts";
import { type AdamW, adamw, adamwUpdate, globalNorm, momentNames, stepScalars } from "../../src/train/optimizer.ts";
import { updateGraph } from "../../src/train/step.ts";
import { expectClose } from "../graph/close.ts";
import { interpret } from "../graph/interpreter.ts";
import { tinyConfig } from "../model/tiny.ts";
import { compile } from "../runtime/program.ts";

const parameters: Parameter[] = [
  { name: "w", shape: [3, 4], role: "matrix", init: { std: 1 } },
  { name: "embed", shape: [5, 2], role: "embedding", init: { std: 1 } },
  { name: "scale", shape: [4], role: "norm", init: { value: 1 } },
  { name: "b", shape: [3], role: "bias", init: { value: 0 } },
];
const random = new Random(1);
const weights = Object.fromEntries(parameters.map(({ name, shape }) => [name, normal(shape, 1)]));

/** Gradients of five steps; the norm is under 1 at some and far over it at others. */
const steps = [0.01, 3, 0.1, 0, 1].map((scale) =>
  Object.fromEntries(parameters.map(({ name, shape }) => [name, normal(shape, scale)])),
);
const rate = (step: number) => 0.01 * (step + 1);

function normal(shape: readonly number[], scale: number): Tensor<"float32"> {
  const data = Float32Array.from({ length: sizeOf(shape) }, () => scale * random.normal());
  return { dtype: "float32", shape, data };
}

function updating(constants: AdamW): Graph {
  return trace(() => {
    const given = (prefix: string) => (name: string) =>
      input(`${prefix}${name}`, "float32", parameters.find((each) => each.name === name)?.shape ?? []);
    const gradients = parameters.map(({ name }) => given("gradient.")(name));
    const gradNorm = globalNorm(gradients);
    return { gradNorm, ...adamwUpdate(constants, parameters, given(""), gradients, gradNorm) };
  });
}

function feedsAt(constants: AdamW, step: number): Tensors {
  const gradients = Object.entries(steps[step] ?? {}).map(([name, tensor]) => [`gradient.${name}`, tensor]);
  return { ...Object.fromEntries(gradients), ...stepScalars(constants, step, rate(step)) };
}

function moments(): Tensors {
  const made = parameters.flatMap(({ name, shape }) =>
    Object.values(momentNames(name)).map((moment) => [moment, zeros("float32", shape)] as const),
  );
  return Object.fromEntries(made);
}

/** Algorithm 2 of arXiv 1711.05101 as PyTorch runs it, with gradients clipped to a global norm first. */
function textbook({ beta1, beta2, epsilon, weightDecay, clip }: AdamW) {
  const state = parameters.map(({ name, role }) => {
    const w = Float64Array.from(weights[name]?.data as Float32Array);
    return { name, role, w, m: w.map(() => 0), v: w.map(() => 0) };
  });
  const norms = steps.map((gradients, step) => {
    let squares = 0;
    for (const { data } of Object.values(gradients)) for (const g of data) squares += g * g;
    const norm = Math.sqrt(squares);
    const factor = Math.min(1, clip / (norm + 1e-6));
    for (const { name, role, w, m, v } of state) {
      for (let i = 0; i < w.length; i++) {
        const g = (gradients[name]?.data[i] as number) * factor;
        if (role === "matrix") w[i]! *= 1 - rate(step) * weightDecay;
        m[i] = beta1 * m[i]! + (1 - beta1) * g;
        v[i] = beta2 * v[i]! + (1 - beta2) * g * g;
        const [mHat, vHat] = [m[i]! / (1 - beta1 ** (step + 1)), v[i]! / (1 - beta2 ** (step + 1))];
        w[i]! -= (rate(step) * mHat) / (Math.sqrt(vHat) + epsilon);
      }
    }
    return norm;
  });
  return { norms, state };
}

describe.each<[string, AdamW]>([
  ["the paper's constants", adamw],
  ["a large epsilon, no clipping", { beta1: 0.8, beta2: 0.99, epsilon: 0.1, weightDecay: 0.5, clip: 1e9 }],
  ["clipped hard, no decay", { ...adamw, weightDecay: 0, clip: 1e-3 }],
])("%s", (_, constants) => {
  const { norms, state } = textbook(constants);

  test("five steps in ONNX Runtime, written in place", async () => {
    using program = await compile(updating(constants));
    const held: Tensors = { ...moments() };
    for (const [name, { shape, data }] of Object.entries(weights)) {
      held[name] = { dtype: "float32", shape, data: data.slice() };
    }
    for (const [step, norm] of norms.entries()) {
      const { gradNorm } = await program.run({ ...held, ...feedsAt(constants, step) });
      expect(gradNorm?.data[0]).toBeCloseTo(norm, 4);
    }
    for (const { name, w, m, v } of state) {
      const { shape } = held[name] as Tensor;
      expectClose(held[name], { shape, data: w }, 1e-5);
      expectClose(held[momentNames(name).first], { shape, data: m }, 1e-5);
      expectClose(held[momentNames(name).second], { shape, data: v }, 1e-5);
    }
  });

  test("the graph means the same in float64", () => {
    const graph = updating(constants);
    let held: Record<string, { shape: readonly number[]; data: ArrayLike<number> }> = {
      ...weights,
      ...moments(),
    } as never;
    for (const step of steps.keys()) held = { ...held, ...interpret(graph, { ...held, ...feedsAt(constants, step) }) };
    // Only the constants and the scalars of a step are rounded to float32.
    for (const { name, w } of state) expectClose(held[name], { shape: weights[name]?.shape ?? [], data: w }, 1e-7);
  });
});

test("with no gradients at all, matrices decay and nothing else moves", () => {
  const still = Object.fromEntries(parameters.map(({ name, shape }) => [`gradient.${name}`, zeros("float32", shape)]));
  const found = interpret(updating(adamw), { ...weights, ...moments(), ...still, ...stepScalars(adamw, 0, 0.5) });
  for (const { name, role } of parameters) {
    const kept = role === "matrix" ? Math.fround(1 - 0.5 * 0.1) : 1;
    const expected = Array.from(weights[name]?.data as Float32Array, (w) => w * kept);
    expect([...(found[name]?.data ?? [])]).toEqual(expected);
  }
});

test("clipping scales all gradients by one factor, to the norm asked for", () => {
  const graph = updating({ ...adamw, beta1: 0, clip: 0.5 });
  const found = interpret(graph, { ...weights, ...moments(), ...feedsAt(adamw, 1) });
  let squares = 0;
  for (const { name } of parameters) for (const m of found[momentNames(name).first]?.data ?? []) squares += m * m;
  expect(found.gradNorm?.data[0]).toBeGreaterThan(5);
  expect(Math.sqrt(squares)).toBeCloseTo(0.5, 6);
});

test("a step gives its loss, its norm and every parameter and moment, none under another's name", () => {
  const config = tinyConfig([0, 0]);
  const { outputs } = updateGraph(config, { batch: 1, length: 4, optimizer: adamw });
  const names = parametersOf(config).flatMap(({ name }) => [name, ...Object.values(momentNames(name))]);
  expect(Object.keys(outputs).sort()).toEqual(["loss", "gradNorm", ...names].sort());
  for (const { name, shape } of parametersOf(config)) expect(outputs[name]?.shape).toEqual(shape);
  expect([outputs.loss?.shape, outputs.gradNorm?.shape]).toEqual([[], []]);
});
