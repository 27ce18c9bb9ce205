// One of two checkouts as a contender of checkouts.ts: a training step, a turn of decoding, or a prompt, for every line
// `step`. It imports the built files of the checkout at --root, so that the same work is timed by other code.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    root: { type: "string", default: "." },
    work: { type: "string", default: "step" },
    batch: { type: "string", default: "1" },
    context: { type: "string", default: "1024" },
    "kv-dtype": { type: "string", default: "int8" },
    weights: { type: "string", default: "int8" },
    share: { type: "string", default: "2" },
    threads: { type: "string", default: "2" },
  },
});
const built = (file) => import(new URL(`dist/${file}`, pathToFileURL(`${values.root}/`)).href);
const { EngineCore, modelConfig, openDevice, PagedMemory } = await built("index.js");
const { Runner } = await built("engine/runner.js");
const { RandomPast } = await built("study/inference/random-past.js");
const { randomWeights } = await built("study/inference/synthetic.js");
const { Trainer } = await built("train/trainer.js");
const { recipe } = await built("train/recipe.js");

const [batch, context, share] = [values.batch, values.context, values.share].map(Number);
const sharing = Array.from({ length: 8 }, (_, layer) => layer - (layer % share));
const device = await openDevice(`cpu:${values.threads}`);

/** Decoding steps of a turn. */
const turn = 8;
/** Tokens that a sequence may add before its texts begin anew: contexts stay about as long as they are. */
const room = 256;

/** A training step of size b (see sizes.json). */
async function trainingStep() {
  const sizes = { layers: 8, width: 256, heads: 4, kvHeads: 1, headDim: 64, mlpWidth: 688, vocab: 4096, context: 256 };
  const config = modelConfig({ ...sizes, sharing });
  const trainer = await Trainer.create(device, config, recipe({ steps: 1e6, batch: 8 }));
  const data = Int32Array.from({ length: 8 * 257 }, (_, i) => (i * 7919) % config.vocab);
  const tokens = { dtype: "int32", shape: [8, 257], data };
  return async () => (await trainer.step(() => tokens)).report();
}

const serving = { layers: 8, width: 512, heads: 8, kvHeads: 1, headDim: 64, mlpWidth: 1376, vocab: 8192 };
const blockSize = 128;

/** Random tokens; no two sequences begin alike. */
const prompt = (sequence, length) =>
  Int32Array.from({ length }, (_, i) => ((i + 1) * 7919 + sequence * 104729) % serving.vocab);

/** A turn of decoding steps; ragged contexts up to `context`, as in decode.ts. */
async function decoding() {
  const config = modelConfig({ ...serving, context: 1 << 15, sharing });
  const contexts = Array.from({ length: batch }, (_, i) => Math.round((context * (batch - i)) / batch));
  const blocks = contexts.reduce((sum, length) => sum + Math.ceil((length + room + 1) / blockSize), 0);
  const memory = new PagedMemory(device, config, { blocks, blockSize, dtype: values["kv-dtype"] });
  const runner = await Runner.create(device, config, randomWeights(config), memory, values.weights);
  const core = new EngineCore(new RandomPast(device, runner), { chunk: blocks * blockSize, prefixCache: false });
  const begin = async () => {
    for (const [i, length] of contexts.entries()) {
      core.add({ prompt: prompt(i, length), maxTokens: room, sampling: { temperature: 0 } });
    }
    await core.step(); // the past of all
    await core.step(); // their first tokens
  };
  let left = 0;
  return {
    prepare: async () => {
      if (left >= turn) return;
      while (!core.idle) await core.step();
      await begin();
      left = room - 2;
    },
    run: async () => {
      for (let i = 0; i < turn; i++, left--) await core.step();
    },
  };
}

/** A prompt of `context` tokens, none of which the cache holds. */
async function reading() {
  const config = modelConfig({ ...serving, context: 1 << 15, sharing });
  const options = { kvMemory: 64e6, kvDtype: values["kv-dtype"], weights: values.weights, prefixCache: false };
  const core = await EngineCore.create(device, config, randomWeights(config), options);
  return async () => {
    core.add({ prompt: prompt(1, context), maxTokens: 1, sampling: { temperature: 0 } });
    while (!core.idle) await core.step();
  };
}

const work = await { step: trainingStep, decode: decoding, prefill: reading }[values.work]();
const { prepare = async () => {}, run } = typeof work === "function" ? { run: work } : work;
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() !== "step") continue;
  await prepare();
  const cpu = process.cpuUsage();
  const start = performance.now();
  await run();
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  console.log(JSON.stringify({ ms, cpuMs: (user + system) / 1000 }));
}
process.exit(0);
