// The server beside its own engine: 64 requests at a time, through HTTP as streams and straight from `Engine.generate`, in
// turns; what a first token waits longer; and a soak, in which clients come, stream and leave at random.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { Agent, type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Engine, namedModel, RunDirectory, trainBpe } from "crosslayer";
import { randomWeights } from "../src/study/inference/synthetic.ts";
import { median } from "../src/tensor/estimate.ts";

const { values } = parseArgs({
  options: {
    clients: { type: "string", default: "64" },
    rounds: { type: "string", default: "7" },
    soak: { type: "string", default: "0" },
  },
});
const [clients, rounds, soakSeconds] = [values.clients, values.rounds, values.soak].map(Number) as [
  number,
  number,
  number,
];
const options = { kvMemory: "256MB", kvDtype: "int8", weights: "int8", threads: 2 } as const;
const tokens = 64;

const scratch = mkdtempSync(join(tmpdir(), "crosslayer-serve-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
const path = join(scratch, "m1");
const words = Array.from({ length: 3000 }, (_, i) => `w${(i * 7919) % 5003}`).join(" ");
const { json, vocab } = trainBpe([words], { vocab: 1024 });
const model = namedModel("H64-MQA-CLA2", { layers: 8, width: 512, mlpWidth: 1376, vocab, context: 2048 });
const run = await RunDirectory.create(path, { name: "m1", model, recipe: {}, data: {} }, json);
await run.saveModel(randomWeights(model));

/** A prompt of some 130 tokens, another for each number. */
const prompt = (i: number) => `${i} ${words.slice((i * 97) % 9000, ((i * 97) % 9000) + 300)}`;

/** `crosslayer serve`, as a user starts it. */
async function serve() {
  const flags = ["--port", "0", "--kv-memory", options.kvMemory, "--kv-dtype", "int8", "--weights", "int8"];
  const more = ["--threads", String(options.threads), "--log-level", "warn", "--max-queue", "1024"];
  const child = spawn(process.execPath, ["dist/cli/main.js", "serve", path, ...flags, ...more], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let told = "";
  child.stdout.on("data", (data) => {
    told += data;
  });
  while (!told.includes("of cache for all")) await sleep(50);
  const url = /http:\/\/[\d.:]+/.exec(told)?.[0] as string;
  const stop = async () => {
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    return (await ended) as [number | null, string | null];
  };
  return { url, pid: child.pid as number, stop };
}

const server = await serve();
const agent = new Agent({ keepAlive: true });

/** Reads a stream to its end; gives the time to its first bytes. By `node:http`, the client that takes the least. */
async function read(body: object, signal?: AbortSignal): Promise<{ status: number; first: number; whole: number }> {
  const start = performance.now();
  const headers = { "content-type": "application/json" };
  const asked = request(`${server.url}/v1/completions`, { method: "POST", headers, agent, signal });
  asked.end(JSON.stringify({ model: "m1", stream: true, ignore_eos: true, ...body }));
  const [response] = (await once(asked, "response", { signal })) as [IncomingMessage];
  let first = 0;
  response.on("data", () => {
    first ||= performance.now() - start;
  });
  await once(response, "end", { signal });
  return { status: response.statusCode as number, first, whole: performance.now() - start };
}

const part = (numbers: readonly number[], share: number) =>
  [...numbers].sort((a, b) => a - b)[Math.floor(share * (numbers.length - 1))] as number;

async function throughput(): Promise<void> {
  await using engine = await Engine.load(path, options);
  const direct = async (i: number) => {
    for await (const _ of engine.generate(prompt(i), { maxTokens: tokens, ignoreEnd: true, seed: i }));
  };
  const rate = async (one: (i: number) => Promise<unknown>, round: number) => {
    const start = performance.now();
    await Promise.all(Array.from({ length: clients }, (_, i) => one(round * clients + i)));
    return (clients * tokens) / ((performance.now() - start) / 1000);
  };
  const served = (i: number) => read({ prompt: prompt(i), max_tokens: tokens, seed: i });
  const found: Record<"engine" | "server", number[]> = { engine: [], server: [] };
  for (let round = 0; round <= rounds; round++) {
    const pair = { engine: await rate(direct, 2 * round), server: await rate(served, 2 * round + 1) };
    if (round === 0) continue; // what is compiled and allocated at first
    found.engine.push(pair.engine);
    found.server.push(pair.server);
  }
  const [bare, http] = [median(found.engine), median(found.server)];
  const ratios = found.server.map((value, i) => value / (found.engine[i] as number));
  console.log(`${clients} requests at a time of 130 + ${tokens} tokens, ${rounds} rounds in turns, medians:`);
  console.log(`  Engine.generate ${bare.toFixed(0)} tokens/s, through HTTP ${http.toFixed(0)} tokens/s`);
  console.log(
    `  HTTP ÷ engine: ${(100 * median(ratios)).toFixed(1)}% (${ratios.map((r) => (100 * r).toFixed(0)).join(" ")})`,
  );

  const firsts: Record<"engine" | "server", number[]> = { engine: [], server: [] };
  for (let i = 0; i < 60; i++) {
    const text = prompt(100_000 + i);
    const start = performance.now();
    for await (const _ of engine.generate(text, { maxTokens: 1, ignoreEnd: true })) break;
    firsts.engine.push(performance.now() - start);
    firsts.server.push((await read({ prompt: text, max_tokens: 1 })).first);
  }
  const [own, over] = [median(firsts.engine), median(firsts.server)];
  console.log(
    `first token, one request at a time: engine ${own.toFixed(1)} ms, first byte by HTTP ${over.toFixed(1)} ms, ${(over - own).toFixed(1)} ms more`,
  );
}

interface Memory {
  readonly server: number;
  readonly engine: number;
  readonly handles: number;
}

/** Resident bytes of the server and of its engine's process, and the server's open files. */
function memory(): Memory {
  const resident = (pid: number) =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
  const children = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, "utf8")
    .trim()
    .split(" ")
    .map(Number);
  const handles = readdirSync(`/proc/${server.pid}/fd`).length;
  return { server: resident(server.pid), engine: Math.max(...children.map(resident)), handles };
}

async function soak(seconds: number): Promise<void> {
  const until = performance.now() + seconds * 1000;
  const statuses = new Map<number | string, number>();
  const firsts: number[] = [];
  const wholes: number[] = [];
  const count = (key: number | string) => statuses.set(key, (statuses.get(key) ?? 0) + 1);
  let asked = 0;
  const client = async () => {
    while (performance.now() < until) {
      const leave = new AbortController();
      const leaves = Math.random() < 0.4;
      const timer = leaves ? setTimeout(() => leave.abort(), Math.random() * 1500) : undefined;
      const n = Math.random() < 0.1 ? 2 : 1;
      const body = { prompt: prompt(asked++), max_tokens: 1 + Math.floor(Math.random() * 100), n };
      const done = await read(body, leave.signal).catch((error: Error) => error);
      clearTimeout(timer);
      if (done instanceof Error) count(leave.signal.aborted ? "left" : `failed: ${done.message}`);
      else {
        count(done.status);
        firsts.push(done.first);
        wholes.push(done.whole);
      }
      if (Math.random() < 0.1) await sleep(Math.random() * 500);
    }
  };
  const samples: Memory[] = [];
  const crowd = Promise.all(Array.from({ length: clients }, client));
  for (let second = 0; second < seconds; second += 10) {
    await sleep(10_000);
    samples.push(memory());
    process.stderr.write(`\r${second + 10} of ${seconds} s, ${asked} requests `);
  }
  await crowd;
  process.stderr.write("\n");
  await sleep(1000);
  const { models } = (await (await fetch(`${server.url}/api/stats`)).json()) as {
    models: Record<string, { running: number; waiting: number; blocks: { used: number; total: number } }>;
  };
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  console.log(
    `soak of ${seconds} s, ${clients} clients: ${asked} requests; ${[...statuses].map(([key, found]) => `${key}: ${found}`).join(", ")}`,
  );
  console.log(
    `  first byte: median ${median(firsts).toFixed(0)} ms, p95 ${part(firsts, 0.95).toFixed(0)}, p99 ${part(firsts, 0.99).toFixed(0)}; whole: median ${median(wholes).toFixed(0)} ms, p99 ${part(wholes, 0.99).toFixed(0)}`,
  );
  console.log(
    `  left behind: ${JSON.stringify(models.m1 && { running: models.m1.running, waiting: models.m1.waiting, used: models.m1.blocks.used })}`,
  );
  const told = (key: "server" | "engine") => samples.map((sample) => megabytes(sample[key])).join(" ");
  console.log(`  memory every 10 s: server ${told("server")}`);
  console.log(`                     engine ${told("engine")}`);
  console.log(`  open files: ${samples.map(({ handles }) => handles).join(" ")}; at rest ${memory().handles}`);
}

if (soakSeconds > 0) await soak(soakSeconds);
else await throughput();
const [status] = await server.stop();
console.log(`server ended with status ${status}`);
