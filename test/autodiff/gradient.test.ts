// The gradients of whole models against central differences in float64: every sharing of four layers, every kind of
// heads, with and without recomputation. An owner's keys and values collect gradients from all of their borrowers.

import { describe, expect, test } from "vitest";
import { gradient } from "../../src/autodiff/gradient.ts";
import { add, cast, exp, mul, neg, rmsNorm, sum, sumSquares } from "../../src/graph/ops.ts";
import { float, type Graph, input, scope, trace } from "../../src/graph/trace.ts";
import type { Value } from "../../src/graph/value.ts";
import type { ModelConfig } from "../../src/model/config.ts";
import { parameters } from "../../src/model/parameters.ts";
import { allSharings, group } from "../../src/model/sharing.ts";
import { Random } from "../../src/tensor/random.ts";
import { adamw } from "../../src/train/optimizer.ts";
import { accumulateGraph, sumName } from "../../src/train/step.ts";
import { expectClose } from "../graph/close.ts";
import { type Feeds, interpret } from "../graph/interpreter.ts";
import { numbers } from "../graph/numbers.ts";
import {
  type Heads,
  kvHeads,
  type Layout,
  lively,
  lossGraph,
  otherChoices,
  randomTokens,
  tinyConfig,
} from "../model/tiny.ts";
import { compile } from "../runtime/program.ts";

const one = { batch: 1, length: 5, block: 2 }; // three attention blocks, the last one short
const two = { ...one, batch: 2 };
const kinds = Object.keys(kvHeads) as Heads[];

/** The graph that training runs, without the update: `loss`, and gradients under `sumName`s. */
const trained = (config: ModelConfig, layout: Layout, recompute: boolean): Graph =>
  accumulateGraph(config, { ...layout, optimizer: adamw, recompute });

function feedsOf(config: ModelConfig, layout: Layout): Feeds {
  const weights = Object.entries(lively(config, 1)).map(([name, tensor]) => [name, numbers(tensor)]);
  return { ...Object.fromEntries(weights), tokens: randomTokens(config, [layout.batch, layout.length + 1], 2) };
}

describe.each(allSharings(4).map((sharing) => ({ sharing })))("sharing $sharing", ({ sharing }) => {
  test.each(kinds)("%s", (heads) => checkModel(tinyConfig(sharing, heads), one));
});

describe("other choices", () => {
  const sharing = [0, 0, 2, 0];
  test.each(kinds)("%s with biases, one norm and a head of its own", (heads) => {
    const biases = { qkv: true, output: true, mlp: true };
    checkModel(tinyConfig(sharing, heads, { biases, kvNorm: "shared", tiedEmbeddings: false }), two);
  });
});

test.each(Object.entries(otherChoices))("%s", (_, choices) =>
  checkModel(tinyConfig([0, 0, 2, 0], "GQA", choices), two),
);

describe("an owner's keys and values, element by element", () => {
  test.each([
    { sharing: [0, 0, 0, 0], owner: 0 },
    { sharing: [0, 1, 1, 1], owner: 1 },
    { sharing: [0, 0, 2, 0], owner: 0 },
  ])("$sharing: owner $owner", ({ sharing, owner }) => {
    expect(group(sharing, owner).length).toBeGreaterThanOrEqual(3);
    const config = tinyConfig(sharing, "GQA");
    const feeds = feedsOf(config, two);
    const loss = lossGraph(config, two);
    const found = [false, true].map((recompute) => interpret(trained(config, two, recompute), feeds));
    for (const name of ["k", "v", "kv_norm"].map((part) => `layers.${owner}.attn.${part}`)) {
      const { shape, data } = feeds[name] as Feeds[string];
      const expected = Float64Array.from({ length: data.length }, (_, i) =>
        slope(
          loss,
          feeds,
          name,
          Float64Array.from({ length: data.length }, (_, j) => Number(i === j)),
        ),
      );
      for (const gradients of found) expectClose(gradients[sumName(name)], { shape, data: expected }, 1e-6);
    }
  });
});

test("ONNX Runtime agrees, recomputing or not", async () => {
  for (const heads of kinds) {
    const config = tinyConfig([0, 0, 2, 0], heads);
    const tokens = randomTokens(config, [two.batch, two.length + 1], 2);
    const feeds = { ...lively(config, 1), tokens };
    const expected = interpret(trained(config, two, false), feeds);
    for (const recompute of [false, true]) {
      using program = await compile(trained(config, two, recompute));
      const found = await program.run(feeds);
      for (const [name, numbers] of Object.entries(expected)) expectClose(found[name], numbers, 1e-4);
    }
  }
});

test("recomputation repeats what is inside layers and waits for a gradient to do so", () => {
  const config = tinyConfig([0, 0, 2, 2]);
  const count = (graph: Graph, op: string) => graph.nodes.filter((node) => node.op === op).length;
  const [kept, repeated] = [trained(config, two, false), trained(config, two, true)];
  expect(count(kept, "after")).toBe(0);
  expect(count(repeated, "after")).toBeGreaterThanOrEqual(config.layers);
  const attentions = config.layers * Math.ceil(two.length / two.block);
  expect(count(kept, "softmaxWeighted")).toBe(attentions);
  expect(count(repeated, "softmaxWeighted")).toBe(2 * attentions);
});

describe("gradient", () => {
  const x = () => input("x", "float32", [3]);
  const y = () => input("y", "float32", [3]);
  const of = (build: () => Value) => () => trace(() => ({ g: build() }));

  test("wants a scalar loss", () => {
    expect(of(() => gradient(x(), [x()])[0] as Value)).toThrow("gradient: the loss must be a scalar, found [3]");
  });

  test("names what the loss does not depend on", () => {
    expect(of(() => gradient(sumSquares(x()), [x(), y()])[0] as Value)).toThrow("the loss does not depend on y");
  });

  test("refuses a loss made of a second output", () => {
    const loss = () => sumSquares(rmsNorm(x(), y(), 1e-5).node.outputs[1] as Value);
    expect(of(() => gradient(loss(), [x()])[0] as Value)).toThrow("only the first output of rmsNorm has one");
  });

  test("goes no further than it must: what does not depend on a parameter gets no gradient", () => {
    const graph = trace(() => {
      const loss = sum(mul(x(), neg(neg(y()))), [0]);
      return { g: gradient(loss, [x()])[0] as Value };
    });
    const found = interpret(graph, { y: { shape: [3], data: [1, 2, 3] } });
    expect([...(found.g?.data ?? [])]).toEqual([1, 2, 3]);
    expect(graph.inputs.map((read) => (read.node.attributes as { name: string }).name)).toEqual(["y"]);
  });

  test("with respect to a value inside the graph", () => {
    const graph = trace(() => {
      const inner = mul(x(), float(2));
      return { g: gradient(sumSquares(add(inner, inner)), [inner])[0] as Value };
    });
    const { g } = interpret(graph, { x: { shape: [3], data: [1, 2, 3] } });
    expect([...(g?.data ?? [])]).toEqual([16, 32, 48]); // d/di (2i)² = 8i, i = 2x
  });

  test("recomputes what is rounded to bfloat16 in a scope, too", () => {
    const graph = trace(() => {
      const outer = neg(x());
      const a = scope("a", () => {
        const low = cast(exp(outer), "bfloat16");
        return cast(mul(low, low), "float32");
      });
      const loss = sum(a, [0]);
      return { loss, g: gradient(loss, [x()], { recompute: (name) => name === "a" })[0] as Value };
    });
    const rounded = graph.nodes.filter(({ op, inputs }) => op === "cast" && inputs[0]?.node.op === "exp");
    expect(rounded).toHaveLength(2);
  });

  test("recomputes only the scopes that are asked for", () => {
    const graph = trace(() => {
      const a = scope("a", () => neg(neg(mul(x(), x()))));
      const b = scope("b", () => mul(mul(a, a), a));
      return { g: gradient(sum(b, [0]), [x()], { recompute: (name) => name === "b" })[0] as Value };
    });
    const waits = graph.nodes.filter((node) => node.op === "after");
    expect(waits.map((node) => node.inputs[0]?.node.scope)).toEqual(["a"]);
    const { g } = interpret(graph, { x: { shape: [3], data: [1, 2, 3] } });
    expect([...(g?.data ?? [])]).toEqual([6, 6 * 32, 6 * 243]); // (x²)³
  });
});

/** Holds every parameter's gradient to the slope of the loss along a random direction, recomputing and not. */
function checkModel(config: ModelConfig, layout: Layout): void {
  const feeds = feedsOf(config, layout);
  const loss = lossGraph(config, layout);
  const kept = interpret(trained(config, layout, false), feeds);
  const recomputed = interpret(trained(config, layout, true), feeds);
  expectClose(kept.loss, interpret(loss, feeds).loss, 1e-12);
  for (const { name } of parameters(config)) {
    expectClose(recomputed[sumName(name)], kept[sumName(name)], 1e-12);
    const gradient = kept[sumName(name)]?.data as Float64Array;
    expect(norm(gradient), name).toBeGreaterThan(1e-6);
    const random = new Random(3).split(name);
    const direction = Float64Array.from({ length: gradient.length }, () => random.normal());
    const expected = slope(loss, feeds, name, direction);
    const found = gradient.reduce((total, g, i) => total + g * (direction[i] as number), 0);
    expect(Math.abs(found - expected), name).toBeLessThan(1e-6 * norm(gradient) * norm(direction));
  }
}

/** The derivative of `loss` as the parameter `name` moves along `direction`, by a central difference. */
function slope(loss: Graph, feeds: Feeds, name: string, direction: Float64Array): number {
  const { shape, data } = feeds[name] as Feeds[string];
  const step = 1e-4 / norm(direction);
  const [up, down] = [step, -step].map((by) => {
    const moved = Float64Array.from(data as ArrayLike<number>, (v, i) => v + by * (direction[i] as number));
    return interpret(loss, { ...feeds, [name]: { shape, data: moved } }).loss?.data[0] as number;
  }) as [number, number];
  return (up - down) / (2 * step);
}

function norm(vector: Float64Array): number {
  return Math.hypot(...vector);
}
