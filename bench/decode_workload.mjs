// What every contender of the decoding benchmark does alike: sizes, 8-bit random weights, tokens, and the conversation
// with the driver. Knows nothing of how a step is computed.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const sizes = JSON.parse(readFileSync(new URL("inference-sizes.json", import.meta.url), "utf8"));

/** Numbers that share a scale, along a row: of GGUF's Q8_0 and of our MatMulNBits. */
export const block = 32;

/** The greatest number of steps a contender takes. */
export const room = 256;

export const normEpsilon = 1e-5;
export const ropeTheta = 10000;

/**
 * `--size m1|m2|q05 --contexts 4096,3000 --threads n` and what `more` declares; one context stands for all `--batch`. With
 * `--prompt` a step reads a prompt as long as the one context.
 */
export function options(more = {}) {
  const { values } = parseArgs({
    options: {
      size: { type: "string", default: "m1" },
      batch: { type: "string" },
      contexts: { type: "string", default: "1024" },
      threads: { type: "string", default: "2" },
      write: { type: "string" },
      prompt: { type: "boolean" },
      check: { type: "boolean" },
      ...more,
    },
  });
  const size = sizes[values.size];
  if (!size) throw new Error(`--size: found ${values.size}; expected one of ${Object.keys(sizes).join(", ")}`);
  const lengths = values.contexts.split(",").map(Number);
  const batch = Number(values.batch ?? lengths.length);
  const contexts = lengths.length === 1 ? new Array(batch).fill(lengths[0]) : lengths;
  if (contexts.length !== batch) throw new Error(`--contexts: found ${contexts.length} for a batch of ${batch}`);
  return { ...values, sizeName: values.size, size, batch, contexts, threads: Number(values.threads) };
}

/** Every matrix, `[rows, columns]` from inputs of `columns`, and where its random numbers start. */
export function matrices({ layers, width, heads, kvHeads, headDim, mlpWidth, vocab }) {
  const list = [];
  let start = 0;
  const add = (name, rows, columns) => {
    list.push({ name, rows, columns, start });
    start += rows * columns;
  };
  add("embed", vocab, width);
  for (let layer = 0; layer < layers; layer++) {
    add(`layers.${layer}.q`, heads * headDim, width);
    add(`layers.${layer}.k`, kvHeads * headDim, width);
    add(`layers.${layer}.v`, kvHeads * headDim, width);
    add(`layers.${layer}.o`, width, heads * headDim);
    add(`layers.${layer}.gate`, mlpWidth, width);
    add(`layers.${layer}.up`, mlpWidth, width);
    add(`layers.${layer}.down`, width, mlpWidth);
  }
  return list;
}

/** The biases of queries, keys and values, where the size has them: like matrices of one column. */
export function biases({ layers, heads, kvHeads, headDim, qkvBias }) {
  const list = [];
  const lengths = { q: heads * headDim, k: kvHeads * headDim, v: kvHeads * headDim };
  for (let layer = 0; qkvBias && layer < layers; layer++) {
    for (const [name, rows] of Object.entries(lengths)) {
      list.push({ name: `layers.${layer}.${name}`, rows, columns: 1, start: 2 ** 30 + list.length * 2 ** 13 });
    }
  }
  return list;
}

/** A matrix's random values (standard deviation 0.02), which bfloat16 holds. */
export function values({ rows, columns, start }) {
  const numbers = normals(start, rows * columns, 0.02);
  const bits = new Uint32Array(numbers.buffer);
  for (let i = 0; i < bits.length; i++) bits[i] &= 0xffff0000;
  return numbers;
}

/** A matrix's values as `codes` −127 to 127 times `scales`, which fit in 16 bits. */
export function quantized(matrix) {
  const numbers = values(matrix);
  const codes = new Int8Array(numbers.length);
  const scales = new Float32Array(numbers.length / block);
  const bits = new Uint32Array(scales.buffer);
  for (let at = 0; at < scales.length; at++) {
    const [from, to] = [at * block, (at + 1) * block];
    let largest = 0;
    for (let i = from; i < to; i++) largest = Math.max(largest, Math.abs(numbers[i]));
    scales[at] = largest / 127;
    bits[at] = (bits[at] + 0xfff) & ~0x1fff; // a float16's 10 bits of fraction
    for (let i = from; i < to; i++) codes[i] = Math.max(-127, Math.min(127, Math.round(numbers[i] / scales[at])));
  }
  return { codes, scales };
}

/** `count` numbers of mean 0 and standard deviation `std`, nearly normal: each the sum of a hash's four bytes. */
export function normals(start, count, std) {
  const scale = std / Math.sqrt((4 * (256 ** 2 - 1)) / 12);
  const numbers = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const bits = hash(start + i);
    const sum = (bits & 255) + ((bits >>> 8) & 255) + ((bits >>> 16) & 255) + (bits >>> 24);
    numbers[i] = (sum - 510) * scale;
  }
  return numbers;
}

/** The random token at a position of a sequence. */
export function tokenAt({ vocab }, sequence, position) {
  return hash(sequence * 2 ** 20 + position) % vocab;
}

/** The tokens of a sequence's prompt. */
export function promptOf(size, sequence, length) {
  return Array.from({ length }, (_, position) => tokenAt(size, sequence, position));
}

/** A file or folder that `script` makes with `--write`, once, in a process of its own whose memory then does not count. */
export function generated(script, sizeName, ending) {
  const path = fileURLToPath(script);
  const file = join(tmpdir(), `${basename(path, ".mjs")}-${sizeName}.${ending}`);
  const sources = [path, fileURLToPath(import.meta.url), fileURLToPath(new URL("inference-sizes.json", script))];
  const age = (name) => statSync(name).mtimeMs;
  if (!existsSync(file) || sources.some((source) => age(source) > age(file))) {
    const made = `${file}.${process.pid}`;
    const { status } = spawnSync(process.execPath, [path, "--size", sizeName, "--write", made], { stdio: "inherit" });
    if (status !== 0) throw new Error(`${path} --write ended with ${status}`);
    rmSync(file, { recursive: true, force: true });
    renameSync(made, file);
  }
  return file;
}

/** Says "ready" and `facts`, then answers every line "step": `ms` and `cpuMs` of all threads. */
export async function serve(facts, step) {
  console.log(`ready ${JSON.stringify(facts)}`);
  let count = 0;
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() !== "step") continue;
    if (count === room) throw new Error(`no room for more than ${room} steps`);
    const cpu = process.cpuUsage();
    const start = performance.now();
    await step(count++);
    const ms = performance.now() - start;
    const { user, system } = process.cpuUsage(cpu);
    console.log(JSON.stringify({ ms, cpuMs: (user + system) / 1000 }));
  }
}

/** MurmurHash3's finaliser. */
function hash(index) {
  let x = Math.imul(index + 1, 0x9e3779b1);
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
