// Time of one decode step: crosslayer's engine, with sharing and without, beside node-llama-cpp and an ONNX graph with
// GroupQueryAttention, each in a process of its own. They take turns, a few steps each, so that a machine that speeds up
// or slows down does so for all. Usage: README.md.

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { availableParallelism, cpus } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

interface Report {
  readonly ms: number;
  readonly cpuMs: number;
  readonly peakMB: number;
}

const { values } = parseArgs({
  options: {
    size: { type: "string", default: "m1" },
    cases: { type: "string", default: "1:1024,1:4096,16:4096" },
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
const contenders: Readonly<Record<string, readonly string[]>> = {
  "crosslayer, float32 KV": node("crosslayer_decode.mjs"),
  "crosslayer, int8 KV": node("crosslayer_decode.mjs", "--kv-dtype", "int8"),
  "crosslayer CLA2, float32 KV": node("crosslayer_decode.mjs", "--share", "2"),
  "crosslayer CLA2, int8 KV": node("crosslayer_decode.mjs", "--share", "2", "--kv-dtype", "int8"),
  "llama.cpp, F16 KV, flash": node("llama_decode.mjs", "--flash", "on"),
  "llama.cpp, F16 KV": node("llama_decode.mjs", "--flash", "off"),
  GroupQueryAttention: node("gqa_decode.mjs"),
};

class Runner {
  readonly name: string;
  readonly reports: Report[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  constructor(name: string, command: readonly string[], contexts: readonly number[]) {
    this.name = name;
    const [program, ...rest] = command as [string, ...string[]];
    const { size, threads } = values;
    this.#child = spawn(program, [...rest, "--size", size, "--threads", threads, "--contexts", contexts.join()]);
    this.#child.stderr.on("data", (text) => process.stderr.write(text));
    this.#child.stdin.on("error", () => {});
    this.#child.on("error", () => {});
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** False where it is not installed. */
  async ready(): Promise<boolean> {
    return (await this.#line())?.startsWith("ready") ?? false;
  }

  /** Takes its turn; undefined where it ended. */
  async step(): Promise<Report | undefined> {
    this.#child.stdin.write("step\n");
    const line = await this.#line();
    return line === undefined ? undefined : (JSON.parse(line) as Report);
  }

  async stop(): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null && this.#child.pid !== undefined) await once(this.#child, "exit");
  }

  async #line(): Promise<string | undefined> {
    const { value, done } = await this.#lines.next();
    return done ? undefined : value;
  }
}

console.log(
  `${cpus()[0]?.model.trim()}, ${availableParallelism()} processors, ${values.threads} threads each${realtime.length > 0 ? ", realtime priority" : ""}`,
);
for (const text of values.cases.split(",")) {
  const [batch, context] = text.split(":").map(Number) as [number, number];
  await compare(batch, context);
}

async function compare(batch: number, context: number): Promise<void> {
  // Ragged: the longest has the whole context, the others evenly less.
  const contexts = Array.from({ length: batch }, (_, i) => Math.round((context * (batch - i)) / batch));
  const runners: Runner[] = [];
  for (const [name, command] of Object.entries(contenders)) {
    if (values.only && !name.includes(values.only)) continue;
    const runner = new Runner(name, command, contexts);
    if (!(await runner.ready())) {
      console.log(`${name} skipped: see README.md for how to install it`);
      continue;
    }
    runners.push(runner);
    for (let i = 0; i < 10; i++) await runner.step(); // compiles, allocates, settles: not counted
  }
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const runner of runners) {
      await runner.step();
      for (let i = 1; i < turn; i++) {
        const report = await runner.step();
        if (report) runner.reports.push(report);
      }
    }
  }
  for (const runner of runners) await runner.stop();
  console.log(
    `\nSize ${values.size}, batch ${batch}, contexts ${contexts[0]}${batch > 1 ? ` … ${contexts.at(-1)}` : ""}\n`,
  );
  console.log("| | ms per step, median (least) | tokens/s | CPU ms | peak MB |");
  console.log("|---|--:|--:|--:|--:|");
  for (const { name, reports } of runners) {
    const ms = median(reports.map((report) => report.ms));
    const least = Math.min(...reports.map((report) => report.ms));
    const cpu = median(reports.map(({ cpuMs }) => cpuMs));
    const peak = Math.max(...reports.map(({ peakMB }) => peakMB));
    console.log(
      `| ${name} | ${ms.toFixed(1)} (${least.toFixed(1)}) | ${((batch * 1000) / ms).toFixed(0)} | ${cpu.toFixed(1)} | ${peak.toFixed(0)} |`,
    );
  }
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
