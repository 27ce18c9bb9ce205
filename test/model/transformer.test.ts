// The test to read first: two layers, one set of keys and values, as a graph.

import { expect, test } from "vitest";
import { print } from "../../src/graph/print.ts";
import { input, trace } from "../../src/graph/trace.ts";
import { causalStore } from "../../src/model/causal-store.ts";
import { modelConfig } from "../../src/model/config.ts";
import { allSharings } from "../../src/model/sharing.ts";
import { transformer, weightInputs, weightsOf } from "../../src/model/transformer.ts";
import { compile } from "../../src/runtime/onnxruntime-node.ts";
import { expectClose } from "../graph/close.ts";
import { interpret } from "../graph/interpreter.ts";
import { type Heads, kvHeads, lively, logitsGraph, randomTokens, tinyConfig } from "./tiny.ts";

test("two layers that share keys and values", () => {
  const config = modelConfig({
    layers: 2,
    width: 8,
    heads: 2,
    kvHeads: 1,
    headDim: 4,
    mlpWidth: 16,
    vocab: 11,
    sharing: [0, 0],
  });
  const graph = trace(() => {
    const kv = causalStore(config, { batch: 1, length: 3 });
    return { hidden: transformer(config, weightsOf(weightInputs(config)), input("tokens", "int32", [3]), kv) };
  });
  expect(print(graph)).toMatchInlineSnapshot();
});

test("ONNX Runtime and the interpreter agree on whole models", async () => {
  const layout = { batch: 2, length: 5, block: 2 };
  for (const heads of Object.keys(kvHeads) as Heads[]) {
    for (const sharing of allSharings(3)) {
      const config = tinyConfig(sharing, heads);
      const feeds = { ...lively(config, 1), tokens: randomTokens(config, [10], 2) };
      const graph = logitsGraph(config, layout);
      using program = await compile(graph, { threads: 2 });
      const found = await program.run(feeds);
      for (const [name, numbers] of Object.entries(interpret(graph, feeds))) expectClose(found[name], numbers, 2e-5);
    }
  }
});

test("a parameter that the model does not have is named", () => {
  expect(() => weightsOf(new Map())("layers.1.attn.k")).toThrow("weights: the model has no parameter layers.1.attn.k");
});
