// What every contender of the training-step benchmark does alike: sizes, initial weights, tokens, and the conversation
// with the driver. torch_step.py says the same in Python. Knows nothing of how a step is computed.

import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import sizes from "./sizes.json" with { type: "json" };

/** The exit code that tells the driver "not installed here". */
export const notInstalled = 3;

/** Settings of the optimiser; decay is for matrices only, not for embeddings and norms. */
export const adam = { rate: 1e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1 };

/** `--size a|b|c --threads n`, and whatever else `more` declares, with the sizes looked up; layers share in pairs. */
export function options(more = {}) {
  const { values } = parseArgs({
    options: {
      serve: { type: "boolean" },
      size: { type: "string", default: "a" },
      threads: { type: "string" },
      ...more,
    },
  });
  const size = sizes[values.size];
  if (!size) throw new Error(`--size: found ${values.size}; expected one of ${Object.keys(sizes).join(", ")}`);
  const sharing = Array.from({ length: size.layers }, (_, layer) => layer - (layer % 2));
  return { ...values, size: { ...size, sharing }, threads: Number(values.threads ?? 2) };
}

/** `count` numbers of mean 0 and standard deviation `std`, element `start` of the model onwards. */
export function initialValues(start, count, std) {
  return Float32Array.from({ length: count }, (_, i) => (hash(start + i + 1) / 2 ** 32 - 0.5) * std * Math.sqrt(12));
}

/** Token ids `[batch, length + 1]` of step `step`, flat: a skewed distribution, so that there is something to learn. */
export function tokensOf({ batch, length, vocab }, step) {
  const count = batch * (length + 1);
  return Int32Array.from({ length: count }, (_, i) => {
    const uniform = hash(step * count + i + 1) / 2 ** 32;
    return Math.floor(uniform * uniform * vocab);
  });
}

/** MurmurHash3's finaliser. */
function hash(index) {
  let x = Math.imul(index, 0x9e3779b1);
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Says "ready", then answers every line "step" with one step's JSON: `ms`, `cpuMs` of all threads, `loss`, peak memory `rssMB`. */
export async function serve(parameterCount, step) {
  console.log(`ready ${parameterCount}`);
  let count = 0;
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() !== "step") continue;
    const cpu = process.cpuUsage();
    const start = performance.now();
    const loss = await step(count++);
    const ms = performance.now() - start;
    const { user, system } = process.cpuUsage(cpu);
    console.log(JSON.stringify({ ms, cpuMs: (user + system) / 1000, loss, rssMB: peakMemory() }));
  }
}

function peakMemory() {
  if (!existsSync("/proc/self/status")) return process.resourceUsage().maxRSS / 1024;
  return Number(/VmHWM:\s*(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]) / 1024;
}
