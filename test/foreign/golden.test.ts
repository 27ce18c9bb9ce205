// Models of other projects, imported and run, give what their own code gives: logits by the full forward, and greedy tokens
// by the serving engine over its paged cache.

import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { RunDirectory } from "../../src/checkpoint/run-directory.ts";
import { openSafetensors } from "../../src/checkpoint/safetensors.ts";
import { EngineCore } from "../../src/engine/core.ts";
import { decode } from "../../src/engine/decode.ts";
import { importModel } from "../../src/foreign/import-model.ts";
import { openCheckpoint } from "../../src/foreign/open-checkpoint.ts";
import { kvBytesPerToken } from "../../src/model/cost.ts";
import { FullForward } from "../engine/full-forward.ts";
import { scratch } from "../files/scratch.ts";
import { cpu1 } from "../runtime/program.ts";
import { type Golden, golden, goldenNames, logitsOf, writeFolder } from "./golden/golden.ts";

/** The largest difference of a logit by the full forward. */
async function worstLogit(run: RunDirectory, made: Golden): Promise<number> {
  const { model } = run.config;
  using forward = await FullForward.create(model, (await run.loadModel()).tensors, { length: made.tokens.length });
  const found = (await forward.run(made.tokens)).logits as Float32Array[];
  const expected = logitsOf(made);
  let worst = 0;
  for (const [i, position] of made.positions.entries()) {
    for (const [v, x] of (found[position] as Float32Array).entries()) {
      worst = Math.max(worst, Math.abs(x - (expected[i * model.vocab + v] as number)));
    }
  }
  return worst;
}

test("every family has a golden", () => {
  expect(goldenNames).toEqual(
    expect.arrayContaining(["llama", "llama3", "mistral", "qwen2", "qwen3", "smollm3", "phi3"]),
  );
});

test("a layout taken for another of the same names and shapes computes something else", async () => {
  const made = golden("crosslayer-2026");
  const folder = scratch();
  writeFolder(folder, made);
  await using checkpoint = await openCheckpoint(folder, { layout: "crosslayer-2025" });
  const { run } = await importModel(checkpoint, join(folder, "run"));
  expect(await worstLogit(run, made)).toBeGreaterThan(0.1);
});

describe("every project's words for one sharing make one model", () => {
  const tail = { num_kv_shared_layers: 2, num_kv_reuse_layers: 2, kv_reuse_group: [[1, 2, 3]] };
  const pairs = {
    ...{ sharing_pattern: [0, 0, 2, 2], layer_types: "0_0_2_2", num_key_value_layers: 2 },
    kv_reuse_group: [
      [0, 1],
      [2, 3],
    ],
  };
  const said = (name: string, words: object) =>
    Object.entries(words).map(([key, value]) => [name, { [key]: value }] as const);
  test.each([
    ...said("shared-pairs", pairs),
    ["shared-pairs", { use_cla: true, cla_share_factor: 2 }] as const,
    ...said("shared-tail", { ...tail, sharing_pattern: [0, 1, 1, 1], layer_types: "0_1_1_1" }),
    ["shared-tail", { num_kv_shared_layers: 2, layer_types: new Array(4).fill("full_attention") }] as const,
  ])("%s as %j", async (name, words) => {
    const made = golden(name);
    const { layer_types: _, num_kv_reuse_layers: __, ...rest } = made.config;
    const folder = scratch();
    writeFolder(folder, { ...made, config: { ...rest, ...words, model_type: "llama" } });
    await using checkpoint = await openCheckpoint(folder);
    const { run } = await importModel(checkpoint, join(folder, "run"));
    expect(run.config.model.sharing).toEqual(name === "shared-pairs" ? [0, 0, 2, 2] : [0, 1, 1, 1]);
    expect(await worstLogit(run, made)).toBeLessThan(1e-4);
  });
});

describe.each(goldenNames)("%s", (name) => {
  const made = golden(name);

  test("is imported, computes the same logits and writes the same text", async () => {
    const folder = scratch();
    writeFolder(folder, made);
    const out = join(folder, "run");
    await using checkpoint = await openCheckpoint(folder);
    await importModel(checkpoint, out, { context: made.context });

    const run = await RunDirectory.open(out);
    expect(await worstLogit(run, made)).toBeLessThan(1e-4);

    const { model } = run.config;
    const { tensors } = await run.loadModel();
    const kvMemory = 128 * kvBytesPerToken(model, "float32");
    using core = await EngineCore.create(cpu1, model, tensors, { kvMemory, blockSize: 4, chunk: 4 }); // prompts in chunks
    const asked = { prompt: made.prompt, maxTokens: made.greedy.length, sampling: { temperature: 0 }, stopTokens: [] };
    const ids: number[] = [];
    for await (const id of decode(core, asked)) ids.push(id);
    expect(ids).toEqual(made.greedy);
  });

  test("keeps its weights in their type", async () => {
    const folder = scratch();
    writeFolder(folder, made);
    await using checkpoint = await openCheckpoint(folder);
    await importModel(checkpoint, join(folder, "run"));
    await using file = await openSafetensors(join(folder, "run", "model.safetensors"));
    const types = new Set(file.names.map((tensor) => file.info(tensor).stored));
    expect([...types]).toEqual([...new Set(made.tensors.map(([, , stored]) => stored))]);
  });
});
