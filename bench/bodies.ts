// How long a large body keeps others waiting: while each of these is sent, a bystander asks for /health again and again. Its
// longest wait is reported, and the longest turn of the server's event loop in milliseconds of its own computing, which
// others on the machine do not lengthen; the same without a body first. Rounds take turns, for machines are never quiet.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { namedModel, RunDirectory, trainBpe } from "crosslayer";
import { randomWeights } from "../src/study/inference/synthetic.ts";
import { median } from "../src/tensor/estimate.ts";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" } } });
const rounds = Number(values.rounds);

const scratch = mkdtempSync(join(tmpdir(), "crosslayer-bodies-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
const path = join(scratch, "tiny");
const { json, vocab } = trainBpe(["we the people of the united states ".repeat(40)], { vocab: 270 });
const model = namedModel("H16-MQA-CLA2", { layers: 2, width: 32, mlpWidth: 64, vocab, context: 512 });
const run = await RunDirectory.create(path, { name: "tiny", model, recipe: {}, data: {} }, json);
await run.saveModel(randomWeights(model));

const list = (count: number, item: (i: number) => string) => Array.from({ length: count }, (_, i) => item(i)).join(",");
const text = (more: string) => `{"model":"tiny","prompt":"x","max_tokens":1,${more}}`;
const chat = (messages: string, more = "") => `{"model":"tiny","messages":[${messages}],"max_tokens":1${more}}`;
const said = (content: string) => `{"role":"user","content":${content}}`;
const called = (given: string) =>
  `{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":${JSON.stringify(given)}}}]}`;
const schema = (inside: string) =>
  text(`"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":${inside}}}`);

/** Where bodies go, by a word of what they are. */
const paths = { message: "/v1/chat/completions", detokenize: "/detokenize", tokenize: "/tokenize" };

/** Bodies of up to 4 MiB, by what they are. */
const bodies: Readonly<Record<string, string>> = {
  "1.35M {} in a schema": schema(`{"enum":[${list(1_350_000, () => "{}")}]}`),
  "4 MB of [": `${text('"stop":')}`.slice(0, -1) + "[".repeat(4_000_000),
  "4 MB of [ in a schema": `{"model":"tiny","response_format":${"[".repeat(4_000_000)}`,
  "250k unknown fields": `{${list(250_000, (i) => `"x${i}":1`)}}`,
  "250k fields of one name": `{${list(250_000, () => '"model":1')}}`,
  "1.9M token ids": `{"model":"tiny","prompt":[${list(1_900_000, () => "1")}]}`,
  "1.3M token ids that are none": `{"model":"tiny","prompt":[${list(1_300_000, () => "-1")}]}`,
  "1M prompts that are none": `{"model":"tiny","prompt":[${list(1_000_000, () => "[]")}]}`,
  "a prompt of 4 MB": `{"model":"tiny","prompt":${JSON.stringify("x".repeat(4_000_000))}}`,
  "a prompt of 2M quotes": `{"model":"tiny","prompt":${JSON.stringify('"'.repeat(2_000_000))}}`,
  "a message of 4 MB": chat(said(JSON.stringify("x ".repeat(2_000_000)))),
  "4,000 messages' worth of values": chat(list(1000, () => said('"we the people"'))),
  "4,000 biases that are none": text(`"logit_bias":{${list(4000, (i) => `"x${i}":1`)}}`),
  "20,000 values of a schema": schema(`{"enum":[${list(19_000, (i) => `"${i}"`)}]}`),
  "a number of 4 MB": text(`"seed":${"1".repeat(4_000_000)}`),
  "a key of 4 MB": text(`"${"x".repeat(4_000_000)}":1`),
  "4 MB of spaces": text(`"n":1${" ".repeat(4_000_000)}`),
  "a text of 3.5 MB to tokenize": `{"model":"tiny","prompt":${JSON.stringify("we the people ".repeat(250_000))}}`,
  "1.9M tokens to detokenize": `{"model":"tiny","tokens":[${list(1_900_000, () => "1")}]}`,
  "1.3M values in a call's arguments of a message": chat(called(`[${list(1_300_000, () => "{}")}]`)),
  "1,000 calls of 1,000 values, as messages": chat(list(500, () => called(`[${list(1000, () => "{}")}]`))),
  "a schema's text of 1.3M values": text(`"guided_json":${JSON.stringify(`[${list(1_300_000, () => "{}")}]`)}`),
  "a schema's text of 4 MB of [": text(`"guided_json":"${"[".repeat(4_000_000)}"`),
  "300 short messages": chat(list(300, () => said('""'))),
  "16 stop texts of 250 kB": text(`"stop":[${list(16, () => `"${"a".repeat(250_000)}"`)}]`),
  "half a JSON of 4 MB": `{"model":"tiny","prompt":"${"x".repeat(4_000_000)}`,
};

const child = spawn(
  process.execPath,
  [
    "--import",
    "./bench/loop_turns.mjs",
    "dist/cli/main.js",
    "serve",
    path,
    "--port",
    "0",
    "--kv-memory",
    "4MB",
    "--log-level",
    "silent",
  ],
  { stdio: ["ignore", "pipe", "inherit", "ipc"] },
);
process.on("exit", () => child.kill("SIGKILL"));
let told = "";
child.stdout?.on("data", (data) => {
  told += data;
});
while (!told.includes("of cache for all")) await sleep(50);
const url = /http:\/\/[\d.:]+/.exec(told)?.[0] as string;

const [watching, sending] = [new Agent({ keepAlive: true }), new Agent({ keepAlive: true })];

async function ask(path: string, agent: Agent, body?: Uint8Array): Promise<number> {
  const headers = body ? { "content-type": "application/json", "content-length": body.length } : {};
  const asked = request(url + path, { method: body ? "POST" : "GET", headers, agent });
  asked.end(body);
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  response.resume();
  await once(response, "end");
  return response.statusCode as number;
}

/** The longest turn of the server's event loop since this was last asked, in ms that it computed. */
async function longestTurn(): Promise<number> {
  child.send("turn");
  const [turn] = await once(child, "message");
  return turn;
}

interface Stall {
  /** The bystander's longest wait, ms. */
  readonly wait: number;
  readonly turn: number;
}

/** How others fared while something was done. */
async function stallBy(work: () => Promise<unknown>): Promise<Stall> {
  let longest = 0;
  await longestTurn();
  let over = false;
  const watch = (async () => {
    while (!over) {
      const start = performance.now();
      await ask("/health", watching);
      longest = Math.max(longest, performance.now() - start);
    }
  })();
  await work();
  over = true;
  await watch;
  return { wait: longest, turn: await longestTurn() };
}

const encoder = new TextEncoder();
const kinds = Object.entries(bodies).map(([what, body]) => ({ what, bytes: encoder.encode(body) }));
const stalls = new Map<string, Stall[]>();
const statuses = new Map<string, number>();
for (let round = 0; round <= rounds; round++) {
  const note = (what: string, stall: Stall) => {
    if (round > 0) stalls.set(what, [...(stalls.get(what) ?? []), stall]); // the first is for what is compiled then
  };
  note("nothing", await stallBy(() => sleep(200)));
  for (const { what, bytes } of kinds) {
    const path = Object.entries(paths).find(([word]) => what.includes(word))?.[1] ?? "/v1/completions";
    note(what, await stallBy(async () => statuses.set(what, await ask(path, sending, bytes))));
  }
}
console.log(`ms, median and least or most of ${rounds} rounds:`);
console.log("a bystander's wait  the loop's turn");
console.log("  median    least   median     most");
for (const [what, found] of stalls) {
  const [waits, turns] = [found.map(({ wait }) => wait), found.map(({ turn }) => turn)];
  const figures = [median(waits), Math.min(...waits), median(turns), Math.max(...turns)];
  const status = statuses.has(what) ? ` → ${statuses.get(what)}` : "";
  console.log(`${figures.map((ms) => ms.toFixed(1).padStart(8)).join(" ")}  ${what}${status}`);
}
child.kill("SIGTERM");
