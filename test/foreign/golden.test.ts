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
import { golden, goldenNames, logitsOf, writeFolder } from "./golden/golden.ts";

test("every family has a golden", () => {
  expect(goldenNames).toEqual(
    expect.arrayContaining(["llama", "llama3", "mistral", "qwen2", "qwen3", "smollm3", "phi3"]),
  );
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
    const { model } = run.config;
    const { tensors } = await run.loadModel();
    using forward = await FullForward.create(model, tensors, { length: made.tokens.length });
    const found = (await forward.run(made.tokens)).logits as Float32Array[];
    const expected = logitsOf(made);
    let worst = 0;
    for (const [i, position] of made.positions.entries()) {
      const row = found[position] as Float32Array;
      for (let v = 0; v < model.vocab; v++) {
        worst = Math.max(worst, Math.abs((row[v] as number) - (expected[i * model.vocab + v] as number)));
      }
    }
    expect(worst).toBeLessThan(1e-4);

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
