// Decoding and prompts by node-llama-cpp (llama.cpp, CPU): Q8_0 weights, keys and values in --kv F16 or Q8_0, one
// llama_decode a step. It is no dependency of this package: it is looked for in the folder that PEERS names.
// Steps go straight to the addon that LlamaContext's batcher calls: nothing is sampled, no list of tokens copied. With
// --public they go through the documented controlledEvaluate, which also picks the likeliest token.

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { emptyCache, reference, relativeError } from "./decode_reference.mjs";
import { generated, options, promptOf, room, serve, tokenAt } from "./decode_workload.mjs";
import { notInstalled } from "./workload.mjs";

const flashes = { auto: "auto", on: true, off: false };

/** Tokens of a prompt that are read at once. */
const batchSize = 512;

const { size, sizeName, batch, contexts, threads, check, ...more } = options({
  kv: { type: "string", default: "F16" },
  flash: { type: "string", default: "auto" },
  public: { type: "boolean" },
});
const { getLlama, LlamaLogLevel } = await load();
const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error });
const model = await llama.loadModel({ modelPath: generated(new URL("gguf.mjs", import.meta.url), sizeName, "gguf") });
const context = await model.createContext({
  sequences: batch,
  contextSize: Math.max(...contexts) + room + 2, // of each sequence
  batchSize,
  threads,
  flashAttention: flashes[more.flash],
  experimentalKvCacheKeyType: more.kv,
  experimentalKvCacheValueType: more.kv,
  ignoreMemorySafetyChecks: true,
});
const sequences = contexts.map(() => context.getSequence()); // the addon numbers them from 0
const addon = context._ctx;

if (more.prompt) await serve({}, readPrompt);
else {
  for (const [index, sequence] of sequences.entries()) {
    await sequence.evaluateWithoutGeneratingNewTokens(promptOf(size, index, contexts[index]));
  }
  if (check) await compare();
  else await serve({}, more.public ? countingDecodes(publicStep) : step);
}
process.exit(); // llama.cpp's threads would keep it

/** One token for every sequence, all in one llama_decode; gives the places of their logits. */
async function step(count) {
  addon.initBatch(batch);
  const places = contexts.map((length, index) => {
    const token = Uint32Array.of(tokenAt(size, index, length + count));
    return addon.addToBatch(index, length + count, token, Uint32Array.of(0))[0];
  });
  await addon.decodeBatch();
  return places;
}

/** A new prompt in place of the last one; the scores after its last token. */
async function readPrompt(count) {
  const [length] = contexts;
  const tokens = Uint32Array.from(promptOf(size, count, length));
  addon.removeTokenCellsFromSequence(0, 0, -1);
  for (let from = 0; from < length; from += batchSize) {
    const piece = tokens.subarray(from, from + batchSize);
    addon.initBatch(piece.length);
    addon.addToBatch(0, from, piece, from + batchSize >= length ? Uint32Array.of(piece.length - 1) : new Uint32Array());
    await addon.decodeBatch();
  }
}

async function publicStep(count) {
  const generateNext = { token: true, options: { temperature: 0 } };
  const evaluate = (sequence, index) =>
    sequence.controlledEvaluate([[tokenAt(size, index, contexts[index] + count), { generateNext }]]);
  await Promise.all(sequences.map(evaluate));
}

/** `take`, but failing where a step was not one llama_decode. */
function countingDecodes(take) {
  let decodes = 0;
  const original = addon.decodeBatch;
  const decodeBatch = () => {
    decodes++;
    return original.call(addon);
  };
  Object.defineProperty(addon, "decodeBatch", { value: decodeBatch });
  return async (count) => {
    decodes = 0;
    await take(count);
    if (decodes !== 1) throw new Error(`step ${count} took ${decodes} calls of llama_decode`);
  };
}

/** The logits of two steps beside the reference's. */
async function compare() {
  const sampler = new llama._bindings.AddonSampler(model._model);
  sampler.applyConfig({ temperature: 0 });
  const caches = contexts.map(() => emptyCache(size));
  const forward = reference(size, !size.qkvBias); // architecture qwen2 turns halves
  for (const [index, length] of contexts.entries()) {
    for (const token of promptOf(size, index, length)) forward(token, caches[index]);
  }
  for (let count = 0; count < 2; count++) {
    const places = await step(count);
    for (const [index, length] of contexts.entries()) {
      const [, , , pairs] = await addon.sampleToken(places[index], sampler, false, false, true);
      const logits = new Float64Array(size.vocab);
      for (let i = 0; i < pairs.length; i += 2) logits[pairs[i]] = pairs[i + 1];
      const expected = forward(tokenAt(size, index, length + count), caches[index]);
      const error = relativeError(logits, expected);
      console.log(`sequence ${index}, position ${length + count}: relative error ${error.toExponential(1)}`);
      if (!(error < 0.03)) process.exitCode = 1;
    }
  }
}

async function load() {
  const file = join(resolve(process.env.PEERS ?? "."), "node_modules/node-llama-cpp/dist/index.js");
  try {
    return await import(existsSync(file) ? pathToFileURL(file).href : "node-llama-cpp");
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    console.error("not installed: node-llama-cpp");
    process.exit(notInstalled);
  }
}
