// Time and peak memory of one training step: crosslayer beside PyTorch and jax-js, each in a process of its own and
// taking turns step by step, so that a machine that speeds up or slows down does so for all. Usage: README.md.

import { readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median } from "../src/tensor/estimate.ts";
import { Contender } from "./contender.ts";
import { pairedRatio } from "./paired-ratio.ts";

interface Report {
  /** Milliseconds of the step. */
  ms: number;
  /** Milliseconds of processor time, all threads together. */
  cpuMs: number;
  loss: number;
  /** The process's highest resident memory so far. */
  rssMB: number;
}

interface Entry {
  readonly name: string;
  readonly command: readonly string[];
  readonly install: string;
}

const { values } = parseArgs({
  options: {
    sizes: { type: "string", default: "a,b,c" },
    rounds: { type: "string", default: "9" },
    threads: { type: "string", default: "2" },
    only: { type: "string", default: "" },
    python: { type: "string", default: "python3" },
    budget: { type: "string", default: "60" },
  },
});

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const node = (file: string, ...more: string[]) => [process.execPath, here(file), ...more];
const torch = (...more: string[]) => [values.python, here("torch_step.py"), ...more];
const torchInstall = "pip install torch numpy; choose its Python with --python";
const contenders: readonly Entry[] = [
  { name: "crosslayer", command: node("crosslayer_step.mjs"), install: "npm run build" },
  { name: "crosslayer, recompute", command: node("crosslayer_step.mjs", "--recompute"), install: "npm run build" },
  { name: "PyTorch, eager", command: torch(), install: torchInstall },
  { name: "PyTorch, compiled", command: torch("--compile"), install: torchInstall },
  {
    name: "jax-js, 1 thread",
    command: node("jax_step.mjs"),
    install: "npm install --prefix FOLDER @jax-js/jax, then PEERS=FOLDER",
  },
];

/** A contender and what it did. */
class Runner {
  readonly name: string;
  readonly reports: Report[] = [];
  first: Report | undefined;
  parameters = 0;
  spent = 0;
  readonly #contender: Contender<Report>;

  constructor({ name, command }: Entry, size: string) {
    this.name = name;
    // A pinned OpenBLAS kernel would slow PyTorch down; losses are compared below, so a wrong kernel would show.
    const { OPENBLAS_CORETYPE: _, OPENBLAS_L2_SIZE: __, ...env } = process.env;
    const options = ["--serve", "--size", size, "--threads", values.threads];
    this.#contender = new Contender(name, [...command, ...options], env);
  }

  /** False where it is not installed. */
  async ready(): Promise<boolean> {
    const line = await this.#contender.ready();
    this.parameters = Number(line?.split(" ")[1]);
    return line !== undefined;
  }

  /** Undefined where it ended. */
  async step(): Promise<Report | undefined> {
    const report = await this.#contender.step();
    this.spent += (report?.ms ?? 0) / 1000;
    return report;
  }

  stop(): Promise<void> {
    return this.#contender.stop();
  }
}

const sizes = JSON.parse(readFileSync(here("sizes.json"), "utf8"));
const names = values.sizes.split(",");
const unknown = names.find((name) => !(name in sizes));
if (unknown !== undefined) {
  console.error(`--sizes: found ${unknown}; expected some of ${Object.keys(sizes).join(",")}`);
  process.exit(1);
}
console.log(`${cpus()[0]?.model.trim()}, ${availableParallelism()} processors, ${values.threads} threads each`);
for (const name of names) await compare(name);

async function compare(size: string): Promise<void> {
  const { batch, length } = sizes[size] as { batch: number; length: number };
  const runners: Runner[] = [];
  for (const contender of contenders) {
    if (values.only && !contender.name.startsWith("crosslayer") && !contender.name.startsWith(values.only)) continue;
    const runner = new Runner(contender, size);
    if (await runner.ready()) {
      runner.first = await runner.step(); // compiles, allocates: not counted
      runner.spent = 0;
      if (runner.first) runners.push(runner);
      else console.log(`${contender.name} ended in its first step`);
    } else console.log(`${contender.name} skipped. To install: ${contender.install}`);
  }
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const runner of runners) {
      if (runner.reports.length < round || (round > 1 && runner.spent > Number(values.budget))) continue;
      const report = await runner.step();
      if (report) runner.reports.push(report);
    }
  }
  for (const runner of runners) await runner.stop();
  show(size, runners, batch * length);
}

function show(size: string, runners: readonly Runner[], tokens: number): void {
  const [ours] = runners;
  if (!ours) return;
  const describe = Object.entries(sizes[size] as object).map(([key, value]) => `${key} ${value}`);
  console.log(`\nSize ${size}: ${describe.join(", ")}; ${ours.parameters} parameters; layers share in pairs\n`);
  console.log("| | ms per step, median (range) | tokens/s | time ÷ crosslayer (95%) | CPU ms | peak MB | steps |");
  console.log("|---|---|---|---|---|---|---|");
  for (const { name, reports, parameters, first } of runners) {
    const times = reports.map(({ ms }) => ms);
    const ms = median(times);
    const pairs = reports.map((report, round) => [ours.reports[round]?.ms ?? Number.NaN, report.ms] as const);
    const { ratio, low, high } = pairedRatio(pairs);
    const divided = name === ours.name ? "1" : `${ratio.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
    const range = `${Math.min(...times).toFixed(0)}–${Math.max(...times).toFixed(0)}`;
    const cpu = median(reports.map(({ cpuMs }) => cpuMs)).toFixed(0);
    const peak = Math.max(...reports.map(({ rssMB }) => rssMB));
    console.log(
      `| ${name} | ${ms.toFixed(0)} (${range}) | ${((tokens / ms) * 1000).toFixed(0)} | ${divided} | ${cpu} | ${peak.toFixed(0)} | ${reports.length} |`,
    );
    const apart = Math.abs((first?.loss ?? Number.NaN) - (ours.first?.loss ?? Number.NaN));
    if (!(apart < 1e-3) || parameters !== ours.parameters) {
      console.log(`WARNING: ${name} computes something else: loss ${first?.loss}, ${parameters} parameters`);
    }
  }
}
