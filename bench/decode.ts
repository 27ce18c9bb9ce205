// Decoding steps and prompts of crosslayer's engine beside node-llama-cpp and an ONNX graph with GroupQueryAttention, each in
// a process of its own. First like for like: one file of weights, nothing shared, the same prompts, keys and values of the
// same kind. Then what sharing adds. They take turns, a few steps each, so that a machine that speeds up or slows down does
// so for all. Usage: README.md.

import { spawnSync } from "node:child_process";
import { availableParallelism, cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median } from "../src/tensor/estimate.ts";
import { Contender } from "./contender.ts";
import { pairedRatio } from "./paired-ratio.ts";

interface Report {
  readonly ms: number;
  readonly cpuMs: number;
}

const { values } = parseArgs({
  options: {
    size: { type: "string", default: "m1" },
    cases: { type: "string", default: "1:1024,1:4096,16:1024,16:4096,prompt:512,prompt:2048" },
    threads: { type: "string", default: "2" },
    rounds: { type: "string", default: "12" },
    only: { type: "string", default: "" },
  },
});

/** Steps of a turn; the first of them, after the others' turns, does not count. */
const turn = 4;

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));
// Threads of all have cores to themselves, where the system lets us: some kernels pack waiting threads on one core.
const realtime = spawnSync("chrt", ["-r", "1", "true"]).status === 0 ? ["chrt", "-r", "1"] : [];
const node = (file: string, ...more: string[]) => [...realtime, process.execPath, here(file), ...more];
const ours = (...more: string[]) => node("crosslayer_decode.mjs", ...more);
const llama = (...more: string[]) => node("llama_decode.mjs", ...more);

interface Entry {
  readonly name: string;
  readonly command: readonly string[];
  /** The rows that its time is divided by; of several, the fastest. */
  readonly against: readonly string[];
  /** It steps but reads no prompts. */
  readonly stepsAlone?: boolean;
}

const f16 = ["llama.cpp, F16, flash", "llama.cpp, F16"];
const q8 = ["llama.cpp, Q8_0, flash"];
const alike: readonly Entry[] = [
  { name: "llama.cpp, F16, flash", command: llama("--flash", "on"), against: [] },
  { name: "llama.cpp, F16", command: llama("--flash", "off"), against: [] },
  { name: "crosslayer, float32", command: ours(), against: f16 },
  { name: "GroupQueryAttention, float32", command: node("gqa_decode.mjs"), against: f16, stepsAlone: true },
  { name: "llama.cpp, Q8_0, flash", command: llama("--kv", "Q8_0", "--flash", "on"), against: [] },
  { name: "crosslayer, int8", command: ours("--kv-dtype", "int8"), against: q8 },
  { name: "crosslayer w8a8, float32", command: ours("--weights", "w8a8"), against: f16 },
  { name: "crosslayer w8a8, int8", command: ours("--weights", "w8a8", "--kv-dtype", "int8"), against: q8 },
  { name: "crosslayer of bfloat16, float32", command: ours("--bfloat16"), against: f16 },
  { name: "crosslayer w8a8 of bfloat16, float32", command: ours("--bfloat16", "--weights", "w8a8"), against: f16 },
];
const sharing: readonly Entry[] = [
  { name: "crosslayer CLA2, float32", command: ours("--share", "2"), against: ["crosslayer, float32"] },
  { name: "crosslayer CLA2, int8", command: ours("--share", "2", "--kv-dtype", "int8"), against: ["crosslayer, int8"] },
];

console.log(
  `${cpus()[0]?.model.trim()}, ${availableParallelism()} processors, ${values.threads} threads each${realtime.length > 0 ? ", realtime priority" : ""}`,
);
for (const text of values.cases.split(",")) {
  const [kind, context] = text.split(":") as [string, string];
  await compare(kind === "prompt" ? undefined : Number(kind), Number(context));
}

interface Runner {
  readonly entry: Entry;
  readonly contender: Contender<Report>;
  readonly reports: Report[];
}

/** Steps of `batch` sequences, or prompts if there is none. */
async function compare(batch: number | undefined, context: number): Promise<void> {
  // Ragged: the longest has the whole context, the others evenly less.
  const contexts = Array.from({ length: batch ?? 1 }, (_, i) => Math.round(context - (context * i) / (batch ?? 1)));
  const asked = ["--size", values.size, "--threads", values.threads, "--contexts", contexts.join()];
  if (batch === undefined) asked.push("--prompt");
  const runners: Runner[] = [];
  for (const entry of [...alike, ...sharing]) {
    if (!new RegExp(values.only).test(entry.name) || (entry.stepsAlone && batch === undefined)) continue;
    const contender = new Contender<Report>(entry.name, [...entry.command, ...asked]);
    if (!(await contender.ready())?.startsWith("ready")) {
      console.log(`${entry.name} skipped: see README.md for how to install it`);
      continue;
    }
    runners.push({ entry, contender, reports: [] });
    for (let i = 0; i < (batch === undefined ? 2 : 10); i++) await contender.step(); // compiles, allocates: not counted
  }
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const { contender, reports } of runners) {
      if (batch !== undefined) await contender.step();
      for (let i = batch === undefined ? turn - 1 : 1; i < turn; i++) {
        const report = await contender.step();
        if (report) reports.push(report);
      }
    }
  }
  const least = contexts.length > 1 ? ` … ${contexts.at(-1)}` : "";
  const what = batch === undefined ? `a prompt of ${context} tokens` : `batch ${batch}, contexts ${context}${least}`;
  const tokens = batch ?? context;
  console.log(`\nSize ${values.size}, ${what}. Like for like: one file, nothing shared, 8-bit weights\n`);
  table(runners, tokens, alike);
  console.log("\nWhat sharing adds\n");
  table(runners, tokens, sharing);
  for (const { contender } of runners) await contender.stop();
}

function table(runners: readonly Runner[], tokens: number, entries: readonly Entry[]): void {
  console.log("| keys and values | ms, median (least) | tokens/s | time ÷ (95%) | CPU ms | peak MB |");
  console.log("|---|--:|--:|--:|--:|--:|");
  for (const { entry, contender, reports } of runners.filter(({ entry }) => entries.includes(entry))) {
    const ms = timeOf(reports);
    const least = Math.min(...reports.map((report) => report.ms));
    const cpu = median(reports.map(({ cpuMs }) => cpuMs));
    const cells = [
      entry.name,
      `${ms.toFixed(1)} (${least.toFixed(1)})`,
      ((tokens * 1000) / ms).toFixed(0),
      against(entry, reports, runners),
      cpu.toFixed(1),
      contender.peakMB()?.toFixed(0) ?? "not known",
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
}

function timeOf(reports: readonly Report[]): number {
  return median(reports.map(({ ms }) => ms));
}

/** The ratio of times within a round, and whose time is divided by. */
function against({ against }: Entry, reports: readonly Report[], runners: readonly Runner[]): string {
  const [other] = runners
    .filter(({ entry }) => against.includes(entry.name))
    .sort((a, b) => timeOf(a.reports) - timeOf(b.reports));
  if (!other) return "";
  const pairs = reports.map(({ ms }, i) => [other.reports[i]?.ms ?? Number.NaN, ms] as const);
  const { ratio, low, high } = pairedRatio(pairs);
  return `${other.entry.name}: ${ratio.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
}
