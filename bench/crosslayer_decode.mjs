// crosslayer's engine core as a contender of decode.ts: one step of all sequences for every line `step`. Its weights are
// random and rounded to 8 bits, its past random rows. Usage: README.md.

import { EngineCore, modelConfig, openDevice } from "../dist/index.js";
import { randomRows, randomWeights } from "../dist/study/inference/synthetic.js";
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
const kvMemory = contexts.reduce((sum, context) => sum + context + room + 256, 0) * kvBytes();
const device = await openDevice(`cpu:${threads}`);
const core = await EngineCore.create(device, config, randomWeights(config), { kvMemory, kvDtype, weights: "int8" });
for (const [index, context] of contexts.entries()) {
  // No two begin alike: they would share their blocks.
  const prompt = Int32Array.from({ length: context + 1 }, (_, i) => (i * 7919 + index) % size.vocab);
  const restore = (count) => randomRows(config, kvDtype, count);
  core.add({ prompt, maxTokens: room, sampling: { temperature: 0 }, restore });
}
await core.step(); // fills the cache
await serve({}, async () => {
  await core.step();
});

core[Symbol.dispose]();

function kvBytes() {
  const owners = sharing.filter((owner, layer) => owner === layer).length;
  return 2 * owners * size.kvHeads * (kvDtype === "int8" ? size.headDim + 2 : 4 * size.headDim);
}
