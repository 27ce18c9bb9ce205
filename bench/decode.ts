// Time of one decode step: crosslayer's engine, with sharing and without, beside node-llama-cpp and an ONNX graph with
// GroupQueryAttention, each in a process of its own. They take turns, a few steps each, so that a machine that speeds up
// or slows down does so for all. Usage: README.md.

import { spawnSync } from "node:child_process";
import { availableParallelism, cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median } from "../src/tensor/estimate.ts";
import { Contender } from "./contender.ts";

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
  const shared = ["--size", values.size, "--threads", values.threads, "--contexts", contexts.join()];
  const runners: { contender: Contender<Report>; reports: Report[] }[] = [];
  for (const [name, command] of Object.entries(contenders)) {
    if (values.only && !name.includes(values.only)) continue;
    const contender = new Contender<Report>(name, [...command, ...shared]);
    if (!(await contender.ready())?.startsWith("ready")) {
      console.log(`${name} skipped: see README.md for how to install it`);
      continue;
    }
    runners.push({ contender, reports: [] });
    for (let i = 0; i < 10; i++) await contender.step(); // compiles, allocates, settles: not counted
  }
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const { contender, reports } of runners) {
      await contender.step();
      for (let i = 1; i < turn; i++) {
        const report = await contender.step();
        if (report) reports.push(report);
      }
    }
  }
  for (const { contender } of runners) await contender.stop();
  console.log(
    `\nSize ${values.size}, batch ${batch}, contexts ${contexts[0]}${batch > 1 ? ` … ${contexts.at(-1)}` : ""}\n`,
  );
  console.log("| | ms per step, median (least) | tokens/s | CPU ms | peak MB |");
  console.log("|---|--:|--:|--:|--:|");
  for (const { contender, reports } of runners) {
    const ms = median(reports.map((report) => report.ms));
    const least = Math.min(...reports.map((report) => report.ms));
    const cpu = median(reports.map(({ cpuMs }) => cpuMs));
    const peak = Math.max(...reports.map(({ peakMB }) => peakMB));
    console.log(
      `| ${contender.name} | ${ms.toFixed(1)} (${least.toFixed(1)}) | ${((batch * 1000) / ms).toFixed(0)} | ${cpu.toFixed(1)} | ${peak.toFixed(0)} |`,
    );
  }
}
