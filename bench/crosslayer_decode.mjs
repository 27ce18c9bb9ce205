// crosslayer's engine core as a contender of decode.ts. Its model is the file that llama.cpp reads, imported, or with
// --bfloat16 a folder of the weights that the file was rounded from, kept in --weights; it reads the same prompts. For every
// line `step` it decodes one token of all sequences or, with --prompt, reads one new prompt to its first token. With --share n,
// n layers share keys and values. Usage: README.md.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Runner } from "../dist/engine/runner.js";
import { EngineCore, importModel, modelConfig, openCheckpoint, openDevice, PagedMemory } from "../dist/index.js";
import { emptyCache, reference, relativeError } from "./decode_reference.mjs";
import { generated, options, promptOf, room, serve, tokenAt } from "./decode_workload.mjs";

const {
  size,
  sizeName,
  contexts,
  threads,
  share,
  prompt: readsPrompts,
  check,
  bfloat16,
  weights: weightDtype,
  "kv-dtype": dtype,
} = options({
  bfloat16: { type: "boolean" },
  weights: { type: "string", default: "int8" },
  share: { type: "string", default: "1" },
  "kv-dtype": { type: "string", default: "float32" },
});
const blockSize = 128;
const blocks = contexts.reduce((sum, context) => sum + Math.ceil((context + room + 1) / blockSize), 0);
const { config, weights } = await imported();
const device = await openDevice(`cpu:${threads}`);
const memory = new PagedMemory(device, config, { blocks, blockSize, dtype });
const runner = await Runner.create(device, config, weights, memory, weightDtype);

/** How far logits of random weights may be off: a scale for a whole row rounds about half as coarsely again as one for 32. */
const roundingError = { int8: 0.03, w8a8: 0.05 };

if (check) await compare();
else if (readsPrompts) await prompts();
else await decoding();
runner[Symbol.dispose]();

async function decoding() {
  const core = new EngineCore(runner, { chunk: 1024, prefixCache: false });
  for (const [index, context] of contexts.entries()) {
    const sampling = { temperature: 0 };
    core.add({ prompt: Int32Array.from(promptOf(size, index, context)), maxTokens: room + 1, sampling });
  }
  while (core.stats().prefillTokens < contexts.reduce((a, b) => a + b)) await core.step();
  await serve({}, () => core.step());
}

async function prompts() {
  const core = new EngineCore(runner, { prefixCache: false });
  await serve({}, async (count) => {
    const prompt = Int32Array.from(promptOf(size, count, contexts[0]));
    core.add({ prompt, maxTokens: 1, sampling: { temperature: 0 } });
    while (!core.idle) await core.step();
  });
}

/** The logits of prompts and of two steps after them beside the reference's. */
async function compare() {
  const forward = reference(size, !size.qkvBias);
  let used = 0;
  for (const [index, length] of contexts.entries()) {
    const cache = emptyCache(size);
    const tokens = [...promptOf(size, index, length), tokenAt(size, index, length), tokenAt(size, index, length + 1)];
    const own = Array.from({ length: Math.ceil(tokens.length / blockSize) }, () => used++);
    let computed = 0;
    for (const count of [length, 1, 1]) {
      const sequence = { blocks: own, computed, pending: count, tokens: (from, to) => tokens.slice(from, to) };
      const [found] = await runner.run([{ sequence, count }]);
      computed += count;
      const expected = tokens.slice(computed - count, computed).map((token) => forward(token, cache));
      const error = relativeError(found, expected.at(-1));
      console.log(`sequence ${index}, position ${computed - 1}: relative error ${error.toExponential(1)}`);
      if (!(error < roundingError[weightDtype])) process.exitCode = 1;
    }
  }
}

/** The model that llama.cpp reads, from the same file or a folder of the same weights; with --share its borrowers' keys and values are left out. */
async function imported() {
  const [script, ending] = bfloat16 ? ["folder.mjs", "folder"] : ["gguf.mjs", "gguf"];
  const checkpoint = await openCheckpoint(generated(new URL(script, import.meta.url), sizeName, ending));
  const sharing = Array.from({ length: size.layers }, (_, layer) => layer - (layer % Number(share)));
  const folder = mkdtempSync(join(tmpdir(), "crosslayer-decode-"));
  try {
    const model = modelConfig({ ...checkpoint.model, sharing });
    const { run } = await importModel({ ...checkpoint, model }, join(folder, "run"));
    return { config: run.config.model, weights: (await run.loadModel()).tensors };
  } finally {
    await checkpoint[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  }
}
