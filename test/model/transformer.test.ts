// The test to read first: two layers, one set of keys and values, as a graph.

import { expect, test } from "vitest";
import { print } from "../../src/graph/print.ts";
import { input, trace } from "../../src/graph/trace.ts";
import { describe } from "../../src/graph/value.ts";
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
    %12: float32[3, 4] = reshape(%11) {shape=[3,4]}
    %13: float32[3, 4] = matmul(%7, layers.0.attn.v) {transB}
    %14: float32[1, 3, 4] = reshape(%12) {shape=[1,3,4]}
    %15: float32[1, 1, 3, 4] = reshape(%14) {shape=[1,1,3,4]}
    %16: float32[1, 3, 4] = reshape(%13) {shape=[1,3,4]}
    %17: float32[1, 1, 3, 4] = reshape(%16) {shape=[1,1,3,4]}
    %18: float32[3, 8] = matmul(%5, layers.0.attn.q) {transB}
    %19: float32[1, 3, 8] = reshape(%18) {shape=[1,3,8]}
    %20: float32[1, 3, 8] = rotary(%19, %2, %0, %1)
    %21: float32[3, 8] = reshape(%20) {shape=[3,8]}
    %22: float32[1, 3, 8] = reshape(%21) {shape=[1,3,8]}
    %23: float32[1, 1, 6, 4] = reshape(%22) {shape=[1,1,6,4]}
    %24: float32[1, 1, 6, 3] = matmul(%23, %15) {transB alpha=0.5}
    %25: float32[1, 1, 3, 2, 3] = reshape(%24) {shape=[1,1,3,2,3]}
    %26: float32[3, 1, 3] = reshape(%3) {shape=[3,1,3]}
    %27: float32[1, 1, 3, 2, 3] = add(%25, %26)
    %28: float32[1, 1, 6, 3] = reshape(%27) {shape=[1,1,6,3]}
    %29: float32[1, 1, 6, 4], %30: float32[1, 1, 6, 3] = softmaxWeighted(%28, %17)
    %31: float32[1, 3, 8] = reshape(%29) {shape=[1,3,8]}
    %32: float32[3, 8] = reshape(%31) {shape=[3,8]}
    %33: float32[3, 8] = matmul(%32, layers.0.attn.o) {transB}
    %34: float32[3, 8] = add(%4, %33)
    %35: float32[3, 8], %36: float32[3, 1] = rmsNorm(%34, layers.0.mlp.norm) {epsilon=0.00001}
    %37: float32[3, 16] = matmul(%35, layers.0.mlp.gate) {transB}
    %38: float32[3, 16] = silu(%37)
    %39: float32[3, 16] = matmul(%35, layers.0.mlp.up) {transB}
    %40: float32[3, 16] = mul(%38, %39)
    %41: float32[3, 8] = matmul(%40, layers.0.mlp.down) {transB}
    %42: float32[3, 8] = add(%34, %41)
    %43: float32[3, 8], %44: float32[3, 1] = rmsNorm(%42, layers.1.attn.norm) {epsilon=0.00001}
    %45: float32[3, 8] = matmul(%43, layers.1.attn.q) {transB}
    %46: float32[1, 3, 8] = reshape(%45) {shape=[1,3,8]}
    %47: float32[1, 3, 8] = rotary(%46, %2, %0, %1)
    %48: float32[3, 8] = reshape(%47) {shape=[3,8]}
    %49: float32[1, 3, 8] = reshape(%48) {shape=[1,3,8]}
    %50: float32[1, 1, 6, 4] = reshape(%49) {shape=[1,1,6,4]}
    %51: float32[1, 1, 6, 3] = matmul(%50, %15) {transB alpha=0.5}
    %52: float32[1, 1, 3, 2, 3] = reshape(%51) {shape=[1,1,3,2,3]}
    %53: float32[1, 1, 3, 2, 3] = add(%52, %26)
    %54: float32[1, 1, 6, 3] = reshape(%53) {shape=[1,1,6,3]}
    %55: float32[1, 1, 6, 4], %56: float32[1, 1, 6, 3] = softmaxWeighted(%54, %17)
    %57: float32[1, 3, 8] = reshape(%55) {shape=[1,3,8]}
    %58: float32[3, 8] = reshape(%57) {shape=[3,8]}
    %59: float32[3, 8] = matmul(%58, layers.1.attn.o) {transB}
    %60: float32[3, 8] = add(%42, %59)
    %61: float32[3, 8], %62: float32[3, 1] = rmsNorm(%60, layers.1.mlp.norm) {epsilon=0.00001}
    %63: float32[3, 16] = matmul(%61, layers.1.mlp.gate) {transB}
    %64: float32[3, 16] = silu(%63)
    %65: float32[3, 16] = matmul(%61, layers.1.mlp.up) {transB}
    %66: float32[3, 16] = mul(%64, %65)
    %67: float32[3, 8] = matmul(%66, layers.1.mlp.down) {transB}
    %68: float32[3, 8] = add(%60, %67)
    %69: float32[3, 8], %70: float32[3, 1] = rmsNorm(%68, norm) {epsilon=0.00001}
    → hidden = %69"
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
      using program = await compile(graph, { threads: 2 });
      const found = await program.run(feeds);
      for (const [name, numbers] of Object.entries(interpret(graph, feeds))) expectClose(found[name], numbers, 2e-5);
    }
  }
});

test("a parameter that the model does not have is named", () => {
  expect(() => weightsOf(new Map())("layers.1.attn.k")).toThrow("weights: the model has no parameter layers.1.attn.k");
});
