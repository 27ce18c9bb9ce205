// Training steps as the trainer takes them, on any device: the contender "crosslayer" of devices.mjs. Needs `npm run build`.
// Usage: node bench/device_step.mjs --device cuda --size 26m [--steps 30] [--precision bfloat16] [--batch 32] [--micro-batch 32]
// prints one line of figures; device_step_common.py has the same options and says the same for the others.

import { createHash } from "node:crypto";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { flopsPerToken, parameterCount } from "../dist/model/cost.js";
import { namedModel } from "../dist/model/name.js";
import { parameters } from "../dist/model/parameters.js";
import { openDevice } from "../dist/runtime/open-device.js";
import { peakFlops } from "../dist/runtime/peak-flops.js";
import { median } from "../dist/tensor/estimate.js";
import { recipe } from "../dist/train/recipe.js";
import { Trainer } from "../dist/train/trainer.js";
import sizes from "./devices.json" with { type: "json" };
import { initialValues } from "./workload.mjs";

const { values: flags } = parseArgs({
  options: {
    device: { type: "string", default: "cuda" },
    size: { type: "string", default: "26m" },
    model: { type: "string" },
    precision: { type: "string", default: "bfloat16" },
    steps: { type: "string", default: "30" },
    batch: { type: "string" },
    "micro-batch": { type: "string" },
    recompute: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
    hash: { type: "boolean", default: false },
    serve: { type: "boolean", default: false },
  },
});
const { batch: usual, microBatch: usualMicro, headDim, ...family } = sizes[flags.size];
const model = namedModel(flags.model ?? `H${headDim}-MQA-CLA2`, family);
const batch = Number(flags.batch ?? usual);
const microBatch = Number(flags["micro-batch"] ?? Math.min(batch, usualMicro ?? batch));
const { recompute, precision } = flags;
const constant = { learningRate: 1e-3, warmup: 0, floor: 1 };
const plan = recipe({ steps: 1e6, batch, microBatch, recompute, precision, ...constant });

const began = performance.now();
const device = await openDevice(flags.device);
const opened = performance.now();
const trainer = await Trainer.create(device, model, plan, undefined, {
  weights: flags.check ? byFormula() : undefined,
});
const compiled = performance.now();
const blocks = Array.from({ length: 8 }, (_, i) => tokensOf(i));
let count = 0;
const step = () => trainer.step(() => blocks[count++ % blocks.length]);
const losses = [(await (await step()).report()).loss];
const first = performance.now();
const times = [];
if (flags.serve) {
  say({ firstStepSeconds: first / 1000 });
  for await (const line of createInterface({ input: process.stdin })) {
    await take(Number(line));
    say({ losses: losses.slice(-1) });
  }
} else await take(Number(flags.steps));

const msPerStep = median(times);
const rate = (batch * model.context * 1000) / msPerStep;
const flops = 3 * flopsPerToken(model, model.context / 2);
const peak = peakFlops(device);
say({
  ...{
    contender: "crosslayer",
    size: flags.size,
    parameters: parameterCount(model).total,
    batch,
    microBatch,
    recompute,
  },
  ...{ precision, steps: times.length, tokensPerSecond: Math.round(rate) },
  ...(peak && { mfu: Number(((rate * flops) / peak).toFixed(4)) }),
  ...{ msPerStep: Number(msPerStep.toFixed(3)), firstStepSeconds: seconds(0, first) },
  losses: flags.check ? losses : [losses[0], losses.at(-1)],
  ...{ compiledBytes: trainer.bytes, peakBytes: device.memory?.().peak },
  ...{ openSeconds: seconds(began, opened), compileSeconds: seconds(opened, compiled) },
  ...(flags.hash && { state: await stateHash(), program: trainer.digest?.slice(0, 16) }),
  ...{ device: device.name, kind: device.kind, runtime: device.runtime },
});

/** Steps, each begun before the loss of the one before is read. */
async function take(many) {
  let pending = await step();
  let mark = performance.now();
  for (let i = 0; i < many; i++) {
    const following = await step();
    losses.push((await pending.report()).loss);
    pending = following;
    times.push(performance.now() - mark);
    mark = performance.now();
  }
  losses.push((await pending.report()).loss);
}

function tokensOf(i) {
  const shape = [microBatch, model.context + 1];
  const token = (_, j) => ((j + i) * 7919 + Math.floor((j * j) / 8)) % model.vocab;
  return { dtype: "int32", shape, data: Int32Array.from({ length: shape[0] * shape[1] }, token) };
}

/** Weights that need no common stream of random numbers. */
function byFormula() {
  let start = 0;
  const draw = ({ name, shape, init }) => {
    const size = shape.reduce((a, b) => a * b);
    const data = "std" in init ? initialValues(start, size, init.std) : new Float32Array(size).fill(init.value);
    start += size;
    return [name, { dtype: "float32", shape, data }];
  };
  return Object.fromEntries(parameters(model).map(draw));
}

/** Of all weights and moments. */
async function stateHash() {
  const hash = createHash("sha256");
  for (const { data } of Object.values(await trainer.read())) hash.update(data);
  return hash.digest("hex").slice(0, 16);
}

function seconds(from, to) {
  return Number(((to - from) / 1000).toFixed(2));
}

function say(facts) {
  console.log(JSON.stringify(facts));
}
