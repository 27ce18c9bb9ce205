// Prompts: tokens per second by the engine, in chunks over a paged cache, beside the plain forward in one piece (the graph
// that evaluation uses); and the first token of a prompt whose beginning the cache holds. They take turns.

import { parseArgs } from "node:util";
import { EngineCore, type ModelConfig, namedModel } from "crosslayer";
import { gather } from "../src/graph/ops.ts";
import { input, trace } from "../src/graph/trace.ts";
import { causalStore } from "../src/model/causal-store.ts";
import { logits, transformer, weightInputs, weightsOf } from "../src/model/transformer.ts";
import { putAll } from "../src/runtime/device.ts";
import { cpuName, openDevice } from "../src/runtime/open-device.ts";
import { randomWeights } from "../src/study/inference/synthetic.ts";

const { values } = parseArgs({
  options: {
    tokens: { type: "string", default: "2048" },
    rounds: { type: "string", default: "7" },
    threads: { type: "string", default: "2" },
  },
});
const [length, rounds, threads] = [values.tokens, values.rounds, values.threads].map(Number) as [
  number,
  number,
  number,
];
const config: ModelConfig = namedModel("H64-MQA-CLA2", {
  ...{ layers: 8, width: 512, mlpWidth: 1376, vocab: 8192, context: 16384 },
});
const weights = randomWeights(config);

/** Random tokens; the same for the same `seed`. */
const prompt = (seed: number, count = length) =>
  Int32Array.from({ length: count }, (_, i) => ((i + 1) * (7919 + 2 * seed)) % config.vocab);

const graph = trace(() => {
  const named = weightsOf(weightInputs(config));
  const kv = causalStore(config, { batch: 1, length });
  const hidden = transformer(config, named, input("tokens", "int32", [length]), kv);
  return { logits: logits(config, named, gather(hidden, input("last", "int32", [1]))) };
});
await using device = await openDevice(cpuName(threads));
using plain = await device.compile(graph, { constants: weights, shared: true });
const forward = (tokens: Int32Array) =>
  plain.run(
    putAll(device, {
      tokens: { dtype: "int32", shape: [length], data: tokens },
      last: { dtype: "int32", shape: [1], data: Int32Array.of(length - 1) },
    }),
  );
using core = await EngineCore.create(device, config, weights, { kvMemory: 64e6 });

async function first(tokens: Int32Array): Promise<void> {
  core.add({ prompt: tokens, maxTokens: 1, sampling: { temperature: 0 } });
  while (!core.idle) await core.step();
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

const times: Record<string, number[]> = { plain: [], engine: [], found: [] };
for (let round = 0; round <= rounds; round++) {
  const tokens = prompt(round);
  const begun = Int32Array.from([...tokens, ...prompt(round + 1000, 16)]); // a new question after a known beginning
  const found = {
    plain: await timed(() => forward(tokens)),
    engine: await timed(() => first(tokens)),
    found: await timed(() => first(begun)),
  };
  core.forgetPrefixes();
  if (round > 0) for (const [name, ms] of Object.entries(found)) times[name]?.push(ms);
}
const median = (name: string) => (times[name] as number[]).sort((a, b) => a - b)[rounds >> 1] as number;
console.log(`H64-MQA-CLA2, 8 layers, width 512, float32; ${length} tokens, ${threads} threads, medians of ${rounds}\n`);
console.log("| | ms | tokens/s | part |");
console.log("|---|--:|--:|--:|");
const row = (name: string, of: string, against: string) => {
  const ms = median(of);
  const part = against === of ? "" : `${((100 * ms) / median(against)).toFixed(1)}% of the time`;
  console.log(`| ${name} | ${ms.toFixed(0)} | ${((1000 * length) / ms).toFixed(0)} | ${part} |`);
};
row("plain forward in one piece", "plain", "plain");
row("engine, chunks of 256", "engine", "plain");
row("engine, beginning found, 16 new tokens", "found", "engine");
