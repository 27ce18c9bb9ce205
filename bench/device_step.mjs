// Training steps as the trainer takes them, on any device: tokens/s, share of the card's peak, memory. Needs `npm run build`.
// Usage: node bench/device_step.mjs --device cuda --size 26m [--steps 30] [--precision bfloat16] [--batch 32] [--micro-batch 32]

import { parseArgs } from "node:util";
import { flopsPerToken, parameterCount } from "../dist/model/cost.js";
import { namedModel } from "../dist/model/name.js";
import { openDevice } from "../dist/runtime/open-device.js";
import { recipe } from "../dist/train/recipe.js";
import { Trainer } from "../dist/train/trainer.js";

/** Sizes that JAX and PyTorch were measured at too. */
const sizes = {
  tiny: { layers: 4, width: 128, mlpWidth: 352, vocab: 512, context: 128, batch: 8 },
  s: { layers: 12, width: 256, mlpWidth: 704, vocab: 8192, context: 1024, batch: 64 },
  "26m": { layers: 8, width: 512, mlpWidth: 1408, vocab: 8192, context: 1024, batch: 32 },
  "110m": { layers: 12, width: 768, mlpWidth: 2560, vocab: 16384, context: 1024, batch: 32, tiedEmbeddings: false },
  "371m": { layers: 24, width: 1024, mlpWidth: 4096, vocab: 16384, context: 1024, batch: 16 },
};

/** Operations a second that an H100 is sold with, in bfloat16 without sparsity. */
const peak = 989e12;

const { values: flags } = parseArgs({
  options: {
    device: { type: "string", default: "cuda" },
    size: { type: "string", default: "26m" },
    model: { type: "string", default: "H64-MQA-CLA2" },
    precision: { type: "string", default: "bfloat16" },
    steps: { type: "string", default: "30" },
    batch: { type: "string" },
    "micro-batch": { type: "string" },
    recompute: { type: "boolean", default: false },
  },
});
const { batch: usual, tiedEmbeddings, ...family } = sizes[flags.size];
const named = namedModel(flags.model, family);
const model = tiedEmbeddings === undefined ? named : { ...named, tiedEmbeddings };
const batch = Number(flags.batch ?? usual);
const microBatch = Number(flags["micro-batch"] ?? batch);
const { recompute } = flags;
const steps = Number(flags.steps);
const plan = recipe({ steps: steps + 5, batch, microBatch, recompute, learningRate: 1e-3, precision: flags.precision });

const began = performance.now();
const device = await openDevice(flags.device);
const opened = performance.now();
const trainer = await Trainer.create(device, model, plan);
const compiled = performance.now();
let count = 0;
const tokens = Array.from({ length: 8 }, (_, i) => ({
  dtype: "int32",
  shape: [microBatch, model.context + 1],
  data: Int32Array.from(
    { length: microBatch * (model.context + 1) },
    (_, j) => ((j + i) * 7919 + ((j * j) >> 3)) % model.vocab,
  ),
}));
const next = () => tokens[count++ % tokens.length];
const first = await (await trainer.step(next)).report();
const stepped = performance.now();
const times = [];
let pending = await trainer.step(next);
let mark = performance.now();
let last;
for (let step = 0; step < steps; step++) {
  const following = await trainer.step(next);
  last = await pending.report();
  pending = following;
  times.push(performance.now() - mark);
  mark = performance.now();
}
await pending.report();
times.sort((a, b) => a - b);
const seconds = times[times.length >> 1] / 1000;
const rate = (batch * model.context) / seconds;
const flops = 3 * flopsPerToken(model, model.context / 2);
console.log(
  JSON.stringify({
    ...{ size: flags.size, model: flags.model, parameters: parameterCount(model).total, batch, microBatch, recompute },
    ...{ precision: flags.precision, device: device.name, runtime: device.runtime },
    tokensPerSecond: Math.round(rate),
    mfu: Number(((rate * flops) / peak).toFixed(4)),
    msPerStep: seconds * 1000,
    openSeconds: (opened - began) / 1000,
    compileSeconds: (compiled - opened) / 1000,
    firstStepSeconds: (stepped - compiled) / 1000,
    memory: device.memory?.(),
    losses: [first.loss, last.loss],
  }),
);
