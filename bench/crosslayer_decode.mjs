// crosslayer's engine core as a contender of decode.ts: one step of all sequences for every line `step`. Its weights are
// random and rounded to 8 bits, its past random rows. Usage: README.md.

import { Runner } from "../dist/engine/runner.js";
import { EngineCore, modelConfig, openDevice, PagedMemory } from "../dist/index.js";
import { RandomPast } from "../dist/study/inference/random-past.js";
import { randomWeights } from "../dist/study/inference/synthetic.js";
import { options, room, serve } from "./decode_workload.mjs";

const {
  size,
  contexts,
  threads,
  share,
  "kv-dtype": kvDtype,
} = options({
  share: { type: "string", default: "1" },
  "kv-dtype": { type: "string", default: "float32" },
});
const sharing = Array.from({ length: size.layers }, (_, layer) => layer - (layer % Number(share)));
const config = modelConfig({ ...size, context: 1 << 15, sharing });
const blockSize = 128;
const blocks = contexts.reduce((sum, context) => sum + Math.ceil((context + room + 256) / blockSize), 0);
const device = await openDevice(`cpu:${threads}`);
const memory = new PagedMemory(device, config, { blocks, blockSize, dtype: kvDtype });
const runner = await Runner.create(device, config, randomWeights(config), memory, "int8");
const core = new EngineCore(new RandomPast(device, runner), { chunk: blocks * blockSize });
for (const [index, context] of contexts.entries()) {
  // No two begin alike: they would share their blocks.
  const prompt = Int32Array.from({ length: context }, (_, i) => (i * 7919 + index) % size.vocab);
  core.add({ prompt, maxTokens: room + 1, sampling: { temperature: 0 } });
}
await core.step(); // the past of all
await core.step(); // their first tokens
await serve({}, async () => {
  await core.step();
});

runner[Symbol.dispose]();
