// The models that the first version (commit 34ea6da) wrote, by their hashes: what the house becomes must not move a bit of
// what it computes. Attention to 8-bit keys and values is younger: it gives the same bits whatever is computed beside it. Names are left out, and so is everything that a runtime does not see.

import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { servingGraph } from "../../src/engine/runner.ts";
import type { Graph } from "../../src/graph/trace.ts";
import type { PagedOptions } from "../../src/kv/paged-memory.ts";
import { PagedMemory } from "../../src/kv/paged-memory.ts";
import { type ModelConfig, modelConfig } from "../../src/model/config.ts";
import { share, unshared } from "../../src/model/sharing.ts";
import { toOnnx } from "../../src/onnx/model.ts";
import { decodeModel, type NodeProto, type TensorProto } from "../../src/onnx/proto.ts";
import { adamw } from "../../src/train/optimizer.ts";
import { accumulateGraph, updateGraph } from "../../src/train/step.ts";
import { cpu1 } from "../runtime/program.ts";

const sizes = { layers: 4, width: 32, heads: 4, headDim: 8, mlpWidth: 64, vocab: 61, context: 96 };
const models = {
  MHA: modelConfig({ ...sizes, sharing: unshared(4) }),
  "GQA, CLA2": modelConfig({ ...sizes, kvHeads: 2, sharing: share(4, 2) }),
  "MQA, CLA2-KeepEnds, biases, a head of its own": modelConfig({
    ...{ ...sizes, kvHeads: 1, sharing: share(4, 2, "KeepEnds"), kvNorm: "shared", tiedEmbeddings: false },
    biases: { qkv: true, output: true, mlp: true },
  }),
};
const step = { batch: 3, length: 96, optimizer: adamw, block: 32 };
const ntk = modelConfig({ ...models["GQA, CLA2"], ropeScaling: { type: "ntk", factor: 2 } });

const graphs: Record<string, () => Graph> = {
  "update, MHA": () => updateGraph(models.MHA, step),
  "update, GQA, CLA2": () => updateGraph(models["GQA, CLA2"], step),
  "update, MQA, KeepEnds": () => updateGraph(models["MQA, CLA2-KeepEnds, biases, a head of its own"], step),
  "update, recomputing": () => updateGraph(models["GQA, CLA2"], { ...step, recompute: true }),
  "update, ntk": () => updateGraph(ntk, step),
  "update of micro-batches": () => updateGraph(models.MHA, { ...step, accumulate: 4 }),
  "accumulate, GQA, CLA2": () => accumulateGraph(models["GQA, CLA2"], { ...step, accumulate: 4 }),
  "accumulate, MQA, recomputing": () =>
    accumulateGraph(models["MQA, CLA2-KeepEnds, biases, a head of its own"], {
      ...step,
      accumulate: 2,
      recompute: true,
    }),
  "paged, MHA, float32": () => servingGraph(models.MHA, paged(models.MHA, { dtype: "float32" })),
  "paged, GQA, int8": () => servingGraph(models["GQA, CLA2"], paged(models["GQA, CLA2"], { dtype: "int8" })),
  "paged, MQA, int8, int8 weights": () => {
    const model = models["MQA, CLA2-KeepEnds, biases, a head of its own"];
    return servingGraph(model, paged(model, { dtype: "int8" }), "int8");
  },
  "paged, GQA, reduced, int4 weights": () => {
    const model = models["GQA, CLA2"];
    return servingGraph(model, paged(model, { dtype: "int8", rounding: "reduced" }), "int4");
  },
};

function paged(model: ModelConfig, options: Omit<PagedOptions, "blockSize">): PagedMemory {
  return new PagedMemory(cpu1, model, { blocks: 1, blockSize: 16, rounding: "full", ...options });
}

/** What the first version called an input. */
const firstName = (name: string) => name.replace("party.places", "group.blocks").replace(/^party\./, "group.");

const hashes: Record<string, string> = {
  "update, MHA": "5e8ad158f52130ca",
  "update, GQA, CLA2": "5ef7397b09eb8c7c",
  "update, MQA, KeepEnds": "e62c63b077f3dee3",
  "update, recomputing": "cb6fb421dcc6a002",
  "update, ntk": "a811cea948fb223b",
  "update of micro-batches": "4a528f5ca912cac6",
  "accumulate, GQA, CLA2": "12b3d8600e431043",
  "accumulate, MQA, recomputing": "1d3754604365b447",
  "paged, MHA, float32": "4ee6cefa822c6c89",
  "paged, GQA, int8": "92225b7af33235e9",
  "paged, MQA, int8, int8 weights": "285bb1a561a99fc8",
  "paged, GQA, reduced, int4 weights": "f1fe397b97a81835",
};

test.each(Object.entries(graphs))("%s", (name, build) => {
  expect(computationHash(toOnnx(build()).bytes)).toBe(hashes[name]);
});

/** A hash of what a model computes: its outputs in any order, each by the operations and constants behind it. */
function computationHash(bytes: Uint8Array): string {
  const { graph } = decodeModel(bytes);
  const constants = new Map(graph.initializer.map((tensor) => [tensor.name, constantHash(tensor)]));
  const makers = new Map(graph.node.flatMap((node) => node.output.map((name, i) => [name, { node, i }] as const)));
  const inputs = new Map(
    graph.input.map(({ name, type }) => [name, hash(["input", type.tensorType.elemType, firstName(name)])]),
  );
  const known = new Map<string, string>();
  const hashOf = (name: string): string => {
    const before = known.get(name) ?? constants.get(name) ?? inputs.get(name);
    if (before !== undefined || name === "") return before ?? "";
    const { node, i } = makers.get(name) as { node: NodeProto; i: number };
    const found = hash([node.opType, node.domain, attributesOf(node), node.input.map(hashOf), i]);
    known.set(name, found);
    return found;
  };
  return hash(graph.output.map(({ name }) => hashOf(name)).sort()).slice(0, 16);
}

function constantHash({ dims, dataType, rawData }: TensorProto): string {
  return hash(["constant", dims, dataType, Buffer.from(rawData as Uint8Array).toString("base64")]);
}

function attributesOf({ attribute }: NodeProto): unknown[] {
  return attribute
    .map(({ name, f, i, s, ints, type }) => [name, f, i, s && Buffer.from(s).toString(), ints, type])
    .sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1));
}

function hash(what: unknown): string {
  return createHash("sha256").update(JSON.stringify(what)).digest("hex");
}
