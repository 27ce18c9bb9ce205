// The test to read first: two layers, one set of keys and values, as a graph.

import { expect, test } from "vitest";
import { print } from "../../src/graph/print.ts";
import { input, trace } from "../../src/graph/trace.ts";
import { describe } from "../../src/graph/value.ts";
import { causalStore } from "../../src/model/causal-store.ts";
import { modelConfig } from "../../src/model/config.ts";
import { allSharings } from "../../src/model/sharing.ts";
import { transformer, weightInputs, weightsOf } from "../../src/model/transformer.ts";
import { expectClose } from "../graph/close.ts";
import { interpret } from "../graph/interpreter.ts";
import { compile } from "../runtime/program.ts";
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
  expect(print(graph)).toMatchInlineSnapshot(`
    "%0: float32[3, 2] = constant() …
    %1: float32[3, 2] = constant() …
    %2: int64[1, 3] = constant() 0 1 2
    %3: float32[3, 3] = constant() …
    embed: float32[11, 8]
    layers.0.attn.norm: float32[8]
    layers.0.attn.q: float32[8, 8]
    layers.0.attn.kv_norm: float32[8]
    layers.0.attn.k: float32[4, 8]
    layers.0.attn.v: float32[4, 8]
    layers.0.attn.o: float32[8, 8]
    layers.0.mlp.norm: float32[8]
    layers.0.mlp.gate: float32[16, 8]
    layers.0.mlp.up: float32[16, 8]
    layers.0.mlp.down: float32[8, 16]
    layers.1.attn.norm: float32[8]
    layers.1.attn.q: float32[8, 8]
    layers.1.attn.o: float32[8, 8]
    layers.1.mlp.norm: float32[8]
    layers.1.mlp.gate: float32[16, 8]
    layers.1.mlp.up: float32[16, 8]
    layers.1.mlp.down: float32[8, 16]
    norm: float32[8]
    tokens: int32[3]
    %4: float32[3, 8] = gather(embed, tokens)
    %5: float32[3, 8], %6: float32[3, 1] = rmsNorm(%4, layers.0.attn.norm) {epsilon=0.00001}
    %7: float32[3, 8], %8: float32[3, 1] = rmsNorm(%4, layers.0.attn.kv_norm) {epsilon=0.00001}
    %9: float32[3, 4] = matmul(%7, layers.0.attn.k) {transB}
    %10: float32[1, 3, 4] = reshape(%9) {shape=[1,3,4]}
    %11: float32[1, 3, 4] = rotary(%10, %2, %0, %1)
    %12: float32[3, 4] = matmul(%7, layers.0.attn.v) {transB}
    %13: float32[1, 1, 3, 4] = reshape(%11) {shape=[1,1,3,4]}
    %14: float32[1, 1, 3, 4] = reshape(%12) {shape=[1,1,3,4]}
    %15: float32[3, 8] = matmul(%5, layers.0.attn.q) {transB}
    %16: float32[1, 3, 8] = reshape(%15) {shape=[1,3,8]}
    %17: float32[1, 3, 8] = rotary(%16, %2, %0, %1)
    %18: float32[1, 1, 6, 4] = reshape(%17) {shape=[1,1,6,4]}
    %19: float32[1, 1, 6, 3] = matmul(%18, %13) {transB alpha=0.5}
    %20: float32[1, 1, 3, 2, 3] = reshape(%19) {shape=[1,1,3,2,3]}
    %21: float32[3, 1, 3] = reshape(%3) {shape=[3,1,3]}
    %22: float32[1, 1, 3, 2, 3] = add(%20, %21)
    %23: float32[1, 1, 6, 3] = reshape(%22) {shape=[1,1,6,3]}
    %24: float32[1, 1, 6, 4], %25: float32[1, 1, 6, 3] = softmaxWeighted(%23, %14)
    %26: float32[3, 8] = reshape(%24) {shape=[3,8]}
    %27: float32[3, 8] = matmul(%26, layers.0.attn.o) {transB}
    %28: float32[3, 8] = add(%4, %27)
    %29: float32[3, 8], %30: float32[3, 1] = rmsNorm(%28, layers.0.mlp.norm) {epsilon=0.00001}
    %31: float32[3, 16] = matmul(%29, layers.0.mlp.gate) {transB}
    %32: float32[3, 16] = silu(%31)
    %33: float32[3, 16] = matmul(%29, layers.0.mlp.up) {transB}
    %34: float32[3, 16] = mul(%32, %33)
    %35: float32[3, 8] = matmul(%34, layers.0.mlp.down) {transB}
    %36: float32[3, 8] = add(%28, %35)
    %37: float32[3, 8], %38: float32[3, 1] = rmsNorm(%36, layers.1.attn.norm) {epsilon=0.00001}
    %39: float32[3, 8] = matmul(%37, layers.1.attn.q) {transB}
    %40: float32[1, 3, 8] = reshape(%39) {shape=[1,3,8]}
    %41: float32[1, 3, 8] = rotary(%40, %2, %0, %1)
    %42: float32[1, 1, 6, 4] = reshape(%41) {shape=[1,1,6,4]}
    %43: float32[1, 1, 6, 3] = matmul(%42, %13) {transB alpha=0.5}
    %44: float32[1, 1, 3, 2, 3] = reshape(%43) {shape=[1,1,3,2,3]}
    %45: float32[1, 1, 3, 2, 3] = add(%44, %21)
    %46: float32[1, 1, 6, 3] = reshape(%45) {shape=[1,1,6,3]}
    %47: float32[1, 1, 6, 4], %48: float32[1, 1, 6, 3] = softmaxWeighted(%46, %14)
    %49: float32[3, 8] = reshape(%47) {shape=[3,8]}
    %50: float32[3, 8] = matmul(%49, layers.1.attn.o) {transB}
    %51: float32[3, 8] = add(%36, %50)
    %52: float32[3, 8], %53: float32[3, 1] = rmsNorm(%51, layers.1.mlp.norm) {epsilon=0.00001}
    %54: float32[3, 16] = matmul(%52, layers.1.mlp.gate) {transB}
    %55: float32[3, 16] = silu(%54)
    %56: float32[3, 16] = matmul(%52, layers.1.mlp.up) {transB}
    %57: float32[3, 16] = mul(%55, %56)
    %58: float32[3, 8] = matmul(%57, layers.1.mlp.down) {transB}
    %59: float32[3, 8] = add(%51, %58)
    %60: float32[3, 8], %61: float32[3, 1] = rmsNorm(%59, norm) {epsilon=0.00001}
    → hidden = %60"
  `);

  const crossing = graph.nodes
    .filter(({ scope }) => scope === "layers.1")
    .flatMap(({ op, inputs }) => inputs.map((read) => ({ op, read })))
    .filter(({ read }) => read.node.scope === "layers.0")
    .map(({ op, read }) => `${op} reads ${describe(read)}`);
  expect(crossing).toEqual([
    "rmsNorm reads float32[3, 8]", // the residual stream
    "matmul reads float32[1, 1, 3, 4]", // layer 0's keys, already rotated
    "add reads float32[3, 1, 3]", // the causal mask
    "softmaxWeighted reads float32[1, 1, 3, 4]", // layer 0's values
    "add reads float32[3, 8]", // the residual stream
  ]);
});

test("ONNX Runtime and the interpreter agree on whole models", async () => {
  const layout = { batch: 2, length: 5, block: 2 };
  for (const heads of Object.keys(kvHeads) as Heads[]) {
    for (const sharing of allSharings(3)) {
      const config = tinyConfig(sharing, heads);
      const feeds = { ...lively(config, 1), tokens: randomTokens(config, [10], 2) };
      const graph = logitsGraph(config, layout);
      using program = await compile(graph);
      const found = await program.run(feeds);
      for (const [name, numbers] of Object.entries(interpret(graph, feeds))) expectClose(found[name], numbers, 2e-5);
    }
  }
});

test("a parameter that the model does not have is named", () => {
  expect(() => weightsOf(new Map())("layers.1.attn.k")).toThrow("weights: the model has no parameter layers.1.attn.k");
});
