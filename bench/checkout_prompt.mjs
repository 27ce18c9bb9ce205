// A prompt as a contender of checkouts.ts --own: one of --context tokens for every line `step`, none of which the cache holds. It
// imports the built files of the checkout at --root, today's or those of the first house, whose engine opened its own device.

import { existsSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { serve } from "./decode_workload.mjs";

const { values } = parseArgs({
  options: {
    root: { type: "string", default: "." },
    context: { type: "string", default: "2048" },
    "kv-dtype": { type: "string", default: "int8" },
    share: { type: "string", default: "2" },
    threads: { type: "string", default: "2" },
  },
});
const [context, share, threads] = [values.context, values.share, values.threads].map(Number);
const place = (file) => new URL(`dist/${file}`, pathToFileURL(`${values.root}/`));
const { EngineCore, modelConfig, openDevice } = await import(place("index.js").href);
const made = ["study/inference/synthetic.js", "study/synthetic.js"].map(place);
const { randomWeights } = await import(made.find((file) => existsSync(fileURLToPath(file))).href);

const sharing = Array.from({ length: 8 }, (_, layer) => layer - (layer % share));
const serving = { layers: 8, width: 512, heads: 8, kvHeads: 1, headDim: 64, mlpWidth: 1376, vocab: 8192 };
const config = modelConfig({ ...serving, context: 1 << 15, sharing });
const options = { kvMemory: 64e6, kvDtype: values["kv-dtype"], weights: "int8", prefixCache: false };
const core = openDevice
  ? await EngineCore.create(await openDevice(`cpu:${threads}`), config, randomWeights(config), options)
  : await EngineCore.create(config, randomWeights(config), { ...options, threads });
const prompt = Int32Array.from({ length: context }, (_, i) => ((i + 1) * 7919 + 104729) % serving.vocab);

await serve({}, async () => {
  core.add({ prompt, maxTokens: 1, sampling: { temperature: 0 } });
  while (!core.idle) await core.step();
});
process.exit(0);
