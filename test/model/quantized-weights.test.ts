// Rounded weights: how far off they are, which they are, and that models compute with them what they would compute with
// the numbers that the codes stand for.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { abs, div, max, mul, pad, reshape, round, slice } from "../../src/graph/ops.ts";
import { float, type Graph, input, trace } from "../../src/graph/trace.ts";
import type { Value } from "../../src/graph/value.ts";
import { causalStore } from "../../src/model/causal-store.ts";
import type { ModelConfig } from "../../src/model/config.ts";
import type { BlockDtype, QuantizedDtype } from "../../src/model/formats.ts";
import type { Rounding } from "../../src/model/integer-rows.ts";
import type { Weights } from "../../src/model/layers.ts";
import { parameters, usesOf } from "../../src/model/parameters.ts";
import { quantizedInputs, quantizeWeights } from "../../src/model/quantized-weights.ts";
import { allSharings } from "../../src/model/sharing.ts";
import { logits, transformer, weightInputs, weightsOf } from "../../src/model/transformer.ts";
import { turnedWeights } from "../../src/model/turned-weights.ts";
import type { Tensor, Tensors } from "../../src/tensor/tensor.ts";
import { expectClose } from "../graph/close.ts";
import { type Feeds, interpret } from "../graph/interpreter.ts";
import { compile, cpu1 } from "../runtime/program.ts";
import { type Heads, kvHeads, lively, randomTokens, tinyConfig } from "./tiny.ts";

const dtypes: readonly BlockDtype[] = ["int8", "int4"];
const bits = { int8: 8, int4: 4 } as const;

describe.each(dtypes)("%s", (dtype) => {
  const levels = 2 ** bits[dtype];

  test("numbers are off by half a step at most, by one where they are opposite to their block's largest", () => {
    const anything = fc.float({ noNaN: true, noDefaultInfinity: true });
    const alike = fc.float({ min: -1, max: 1, noNaN: true });
    const rows = fc.integer({ min: 1, max: 70 }).chain((columns) => {
      const row = (number: fc.Arbitrary<number>) => fc.array(number, { minLength: columns, maxLength: columns });
      return fc.tuple(row(anything), row(alike), row(fc.constantFrom(0, 0.5, -0.5, 1e-45)));
    });
    fc.assert(
      fc.property(rows, (matrix) => {
        const columns = matrix[0].length;
        const { quantized, name } = quantizedMatrix(columns, matrix.flat(), dtype);
        const { numbers, codes, scales } = restored(quantized, name, columns);
        for (const [i, number] of Float32Array.from(matrix.flat()).entries()) {
          const step = Math.abs(scales[i]!);
          const cut = codes[i] === levels - 1;
          const error = Math.abs(number - numbers[i]!);
          expect(error).toBeLessThanOrEqual((cut ? 1 : 0.5) * step * (1 + 1e-6) + 2 ** -118);
        }
      }),
    );
  });

  test("a block's largest number is exact, up to the rounding of its scale", () => {
    const matrix = [0.3, -0.7, 0.1, 0.7 - 1e-6, -0.2, 0.05];
    const { quantized, name } = quantizedMatrix(3, [...matrix, 0, 0, 0], dtype);
    const { numbers } = restored(quantized, name, 3);
    expect(numbers[1]).toBeCloseTo(-0.7, 6);
    expect(numbers[3]).toBeCloseTo(0.7 - 1e-6, 6);
    expect(numbers.slice(6)).toEqual([0, 0, 0]);
  });

  test("matrices and the head are rounded; everything else is the same tensor", () => {
    for (const tiedEmbeddings of [true, false]) {
      const config = tinyConfig([0, 0, 2], "GQA", { tiedEmbeddings, biases: { qkv: true, output: true, mlp: true } });
      const weights = lively(config, 1);
      const quantized = quantizeWeights(config, weights, dtype);
      const declared = inputsOf(trace(() => Object.fromEntries(quantizedInputs(config, dtype))));
      expect(Object.entries(quantized).map(([name, { dtype, shape }]) => ({ name, dtype, shape }))).toEqual(declared);
      const rounded = Object.keys(quantized).filter((name) => !(name in weights));
      const matrices = parameters(config).filter(({ name, role }) => role === "matrix" || name === "head");
      const multiplied = [...(tiedEmbeddings ? ["embed"] : []), ...matrices.map(({ name }) => name)];
      expect(rounded).toEqual(multiplied.flatMap((name) => [`${name}.q`, `${name}.scales`]));
      for (const { name } of parameters(config)) {
        expect(quantized[name]).toBe(matrices.some((matrix) => matrix.name === name) ? undefined : weights[name]);
      }
    }
  });

  test("a graph with codes is the graph with the numbers that they stand for", () => {
    for (const [config, tokens] of models()) {
      const weights = quantizeWeights(config, lively(config, 1), dtype);
      const found = interpret(logitsGraph(config, dtype), { ...weights, tokens });
      const untied = { ...config, tiedEmbeddings: false };
      const expected = interpret(logitsGraph(untied), { ...unquantized(untied, weights), tokens });
      expectClose(found.logits, expected.logits, 1e-6);
    }
  });

  // Within 1e-5 where it was measured; but a number that falls to the other side of a half can move logits by 1%.
  test("ONNX Runtime computes it with activations rounded to 8 bits", async () => {
    for (const [config, tokens] of models()) {
      const weights = quantizeWeights(config, lively(config, 1), dtype);
      using program = await compile(logitsGraph(config, dtype), { constants: weights });
      const found = await program.run({ tokens });
      const expected = interpret(logitsGraph(config, dtype, rounding), { ...weights, tokens });
      expectClose(found.logits, expected.logits, 0.02);
    }
  });

  test("numbers that are not finite are refused", () => {
    for (const number of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      expect(() => quantizedMatrix(3, [1, number, 2], dtype)).toThrow(
        `weights: layers.0.mlp.down holds numbers that are not finite; they cannot be ${dtype}`,
      );
    }
  });
});

describe("w8a8", () => {
  test("numbers of the turned model are off by half a step at most, a step a row", () => {
    for (const [config] of models()) {
      const weights = lively(config, 1);
      const turned = turnedWeights(config, weights);
      const quantized = quantizeWeights(config, weights, "w8a8");
      for (const parameter of parameters(config)) {
        if (!usesOf(config, parameter).product) continue;
        const { name, shape } = parameter;
        const [rows, columns] = shape as [number, number];
        const numbers = turned.product(parameter).data;
        const [codes, scales] = [quantized[`${name}.q`]!, quantized[`${name}.scales`]!];
        expect([codes.shape, scales.shape]).toEqual([[columns, rows], [rows]]);
        for (const [i, number] of numbers.entries()) {
          const [row, column] = [Math.floor(i / columns), i % columns];
          const step = scales.data[row] as number;
          const found = (codes.data[column * rows + row] as number) * step;
          expect(Math.abs(found - number)).toBeLessThanOrEqual(0.5 * step * (1 + 1e-5));
        }
      }
    }
  });

  test.each(["full", "reduced"] as const)("a graph with codes multiplies rows rounded by %s", (kind) => {
    for (const [config, tokens] of models()) {
      const weights = quantizeWeights(config, lively(config, 1), "w8a8");
      const found = interpret(logitsGraph(config, "w8a8", undefined, kind), { ...weights, tokens });
      const untied = { ...config, tiedEmbeddings: false };
      const feeds = { ...byRows(untied, weights), tokens };
      const most = kind === "full" ? 127 : 63;
      expectClose(found.logits, interpret(logitsGraph(untied, undefined, roundingRows(most)), feeds).logits, 1e-6);
    }
  });

  test("ONNX Runtime computes it", async () => {
    const kind = cpu1.traits.exactIntegerSums ? "full" : "reduced";
    for (const [config, tokens] of models()) {
      const weights = quantizeWeights(config, lively(config, 1), "w8a8");
      const graph = logitsGraph(config, "w8a8", undefined, kind);
      using program = await compile(graph, { constants: weights });
      const found = await program.run({ tokens });
      expectClose(found.logits, interpret(graph, { ...weights, tokens }).logits, 0.02);
    }
  });

  test("a dimension of the stream that is huge costs the others little: it is spread", () => {
    const config = tinyConfig([0, 0, 2], "GQA", { width: 48, mlpWidth: 50, tiedEmbeddings: false });
    const weights = lively(config, 1);
    const embed = weights.embed as Tensor<"float32">;
    const data = embed.data.map((x, i) => (i % config.width === 5 ? 100 * x : x));
    const outlier = { ...weights, embed: { ...embed, data } };
    const tokens = randomTokens(config, [tokenCount], 2);
    const exact = interpret(logitsGraph(config), { ...outlier, tokens }).logits!.data;
    const distance = (graph: Graph, feeds: Feeds) => {
      const found = interpret(graph, { ...feeds, tokens }).logits!.data;
      return Math.sqrt(exact.reduce((sum, x, i) => sum + (x - found[i]!) ** 2, 0));
    };
    const plainly = distance(logitsGraph(config, undefined, roundingRows(127)), rowsRounded(config, outlier));
    const turned = distance(logitsGraph(config, "w8a8"), quantizeWeights(config, outlier, "w8a8"));
    expect(turned).toBeLessThan(0.75 * plainly);
  });
});

test("a missing matrix is named", () => {
  const { "layers.0.attn.q": _, ...weights } = lively(tinyConfig([0]), 1);
  expect(() => quantizeWeights(tinyConfig([0]), weights, "int8")).toThrow("no tensor for layers.0.attn.q");
});

/** Every sharing of three layers and kind of heads, embeddings tied in every other, biases in some; tokens to read. */
function models(): [ModelConfig, Tensor][] {
  const every = (Object.keys(kvHeads) as Heads[]).flatMap((heads) =>
    allSharings(3).map((sharing) => ({ heads, sharing })),
  );
  return every.map(({ heads, sharing }, i) => {
    const biases = { qkv: i % 2 === 0, output: i % 3 === 0, mlp: i % 5 === 0 };
    const config = tinyConfig(sharing, heads, { width: 40, mlpWidth: 50, tiedEmbeddings: i % 2 === 1, biases });
    return [config, randomTokens(config, [tokenCount], 2)];
  });
}

const tokenCount = 6;

/** `tokens` to `logits`, with rounded weights where a dtype is given, used as `through` says. */
function logitsGraph(
  config: ModelConfig,
  dtype?: QuantizedDtype,
  through = (weights: Weights) => weights,
  kind?: Rounding,
): Graph {
  return trace(() => {
    const values = dtype ? quantizedInputs(config, dtype) : weightInputs(config);
    const weights = through(weightsOf(values, "float32", kind));
    const kv = causalStore(config, { batch: 1, length: tokenCount });
    return {
      logits: logits(config, weights, transformer(config, weights, input("tokens", "int32", [tokenCount]), kv)),
    };
  });
}

/** Weights that multiply by x rounded, in blocks of 32 of each row, to whole multiples of the block's largest / 127. */
function rounding(weights: Weights): Weights {
  const rounded = (x: Value) => {
    const [rows, inner] = x.shape as [number, number];
    const blocks = Math.ceil(inner / 32);
    const split = reshape(pad(x, 1, 0, blocks * 32 - inner), [rows, blocks, 32]);
    const step = mul(max(abs(split), [-1], true), float(1 / 127));
    return slice(reshape(mul(round(div(split, step)), step), [rows, blocks * 32]), 1, 0, inner);
  };
  return Object.assign((name: string) => weights(name), {
    project: (name: string, x: Value) => weights.project(name, rounded(x)),
  });
}

/** Weights that multiply by x rounded, each row of it, to whole multiples of its largest / `most`. */
function roundingRows(most: number) {
  return (weights: Weights): Weights => {
    const rounded = (x: Value) => {
      const step = mul(max(abs(x), [-1], true), float(1 / most));
      return mul(round(div(x, step)), step);
    };
    return Object.assign((name: string) => weights(name), {
      project: (name: string, x: Value) => weights.project(name, rounded(x)),
    });
  };
}

/** A model whose matrices are rounded as they are, in whole multiples of a row's largest / 127. */
function rowsRounded(config: ModelConfig, weights: Tensors): Tensors {
  const rounded = parameters(config).flatMap((parameter) => {
    const { name, shape } = parameter;
    const tensor = weights[name] as Tensor<"float32">;
    if (!usesOf(config, parameter).product) return [];
    const columns = shape[1] as number;
    const data = tensor.data.map((x, i) => {
      const start = i - (i % columns);
      const step = Math.max(...tensor.data.subarray(start, start + columns).map(Math.abs)) / 127;
      return Math.round(x / step) * step;
    });
    return [[name, { ...tensor, data }] as const];
  });
  return { ...weights, ...Object.fromEntries(rounded) };
}

/** The parameters of an untied model: kept tensors, and what codes by rows stand for, a rounded table's as the head. */
function byRows(config: ModelConfig, weights: Tensors): Feeds {
  const feeds = parameters(config).map(({ name, shape }) => {
    const source = name === "head" && "embed.q" in weights ? "embed" : name;
    const [codes, scales] = [weights[`${source}.q`], weights[`${source}.scales`]];
    if (!codes || !scales || name === "embed") return [name, weights[name]!] as const;
    const [rows, columns] = shape as [number, number];
    const data = Array.from({ length: rows * columns }, (_, i) => {
      const row = Math.floor(i / columns);
      return (codes.data[(i % columns) * rows + row] as number) * (scales.data[row] as number);
    });
    return [name, { shape, data }] as const;
  });
  return Object.fromEntries(feeds);
}

/** A model's weights among which one matrix, `name`, has these numbers. */
function quantizedMatrix(columns: number, numbers: readonly number[], dtype: BlockDtype) {
  const rows = numbers.length / columns;
  const config = tinyConfig([0], "MQA", { width: rows, mlpWidth: columns });
  const name = "layers.0.mlp.down";
  const matrix: Tensor = { dtype: "float32", shape: [rows, columns], data: Float32Array.from(numbers) };
  return { quantized: quantizeWeights(config, { ...lively(config, 1), [name]: matrix }, dtype), name };
}

/** What a rounded matrix stands for, and each number's code and scale. */
function restored(weights: Tensors, name: string, columns: number) {
  const [codes, scales] = [weights[`${name}.q`]!, weights[`${name}.scales`]!];
  const [rows, blocks, bytes] = codes.shape as [number, number, number];
  const result = { numbers: [] as number[], codes: [] as number[], scales: [] as number[] };
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const block = row * blocks + Math.floor(column / 32);
      const place = column % 32;
      const byte = codes.data[block * bytes + (bytes === 32 ? place : place >> 1)] as number;
      const code = bytes === 32 ? byte : place % 2 === 0 ? byte & 15 : byte >> 4;
      const scale = scales.data[block] as number;
      result.numbers.push((code - (bytes === 32 ? 128 : 8)) * scale + 0);
      result.codes.push(code);
      result.scales.push(scale);
    }
  }
  return result;
}

/** The parameters of an untied model: kept tensors, and what rounded ones stand for, a rounded table's as the head. */
function unquantized(config: ModelConfig, weights: Tensors): Feeds {
  const feeds = parameters(config).map(({ name, shape }) => {
    const source = name === "head" && "embed.q" in weights ? "embed" : name;
    const rounded = name !== "embed" && `${source}.q` in weights;
    return [name, rounded ? { shape, data: restored(weights, source, shape[1]!).numbers } : weights[name]!] as const;
  });
  return Object.fromEntries(feeds);
}

function inputsOf(graph: Graph): { name: string; dtype: string; shape: unknown }[] {
  return Object.entries(graph.outputs).map(([name, { dtype, shape }]: [string, Value]) => ({ name, dtype, shape }));
}
