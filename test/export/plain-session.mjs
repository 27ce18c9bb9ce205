// A program that knows decoders' files and nothing of crosslayer: node plain-session.mjs <ONNX Runtime> <jobs.json>. For each
// job it reads a text in pieces, then writes on, each the likeliest token, and prints what came of it as a line of JSON.

import { readFileSync } from "node:fs";
import { basename } from "node:path";

const [, , runtime, jobs] = process.argv;
const loaded = await import(runtime);
const ort = loaded.InferenceSession ? loaded : loaded.default;
const isWeb = runtime.includes("onnxruntime-web");
if (isWeb) ort.env.wasm.numThreads = 1;

function open({ model, external }) {
  const options = { logSeverityLevel: 3 };
  if (!isWeb) return ort.InferenceSession.create(model, options);
  const externalData = external.map((path) => ({ path: basename(path), data: readFileSync(path) }));
  return ort.InferenceSession.create(readFileSync(model), { ...options, externalData, executionProviders: ["wasm"] });
}

async function run(job) {
  const { tokens, pieces, count } = job;
  const session = await open(job);
  const past = {};
  for (const { name, shape } of session.inputMetadata) {
    if (!name.startsWith("past_key_values.")) continue;
    const dims = shape.map((size) => (typeof size === "number" ? size : size === "batch_size" ? 1 : 0));
    past[name] = new ort.Tensor("float32", new Float32Array(0), dims);
  }
  const whole = (numbers) => new ort.Tensor("int64", BigInt64Array.from(numbers, BigInt), [1, numbers.length]);
  let length = 0;
  async function step(ids) {
    const positions = ids.map((_, i) => length + i);
    length += ids.length;
    const found = await session.run({
      ...past,
      input_ids: whole(ids),
      position_ids: whole(positions),
      attention_mask: whole(new Array(length).fill(1)),
    });
    for (const name of Object.keys(past)) past[name] = found[name.replace("past_key_values", "present")];
    return Array.from(found.logits.data);
  }

  const logits = [];
  let at = 0;
  for (const size of pieces) {
    for (const score of await step(tokens.slice(at, at + size))) logits.push(score);
    at += size;
  }
  const vocab = logits.length / tokens.length;
  const likeliest = (scores) => scores.slice(-vocab).reduce((best, score, i, all) => (score > all[best] ? i : best), 0);
  const written = [];
  let next = likeliest(logits);
  for (let i = 0; i < count; i++) {
    written.push(next);
    next = likeliest(await step([next]));
  }
  const bytes = Object.values(past).reduce((sum, { data }) => sum + data.byteLength, 0);
  return { logits, written, bytes, kept: Object.keys(past).length, length };
}

for (const job of JSON.parse(readFileSync(jobs, "utf8"))) console.log(JSON.stringify(await run(job)));
