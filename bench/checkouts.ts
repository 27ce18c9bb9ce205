// Two built checkouts of crosslayer against each other: training step, decoding, prompts. Each has a process of its own, both
// do the same work in turns, A B, B A, …, and what counts is the ratio within a pair: a machine that speeds up or slows
// down does so for both. Usage: README.md.

import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median } from "../src/tensor/estimate.ts";
import { Contender } from "./contender.ts";
import { pairedRatio } from "./paired-ratio.ts";

interface Report {
  readonly ms: number;
  readonly cpuMs: number;
}

/** What is timed, as options of checkout_worker.mjs. */
const works: Readonly<Record<string, readonly string[]>> = {
  step: ["--work", "step"],
  "decode 1:1024, float32 KV": ["--work", "decode", "--batch", "1", "--context", "1024", "--kv-dtype", "float32"],
  "decode 1:1024, int8 KV": ["--work", "decode", "--batch", "1", "--context", "1024"],
  "decode 1:4096, int8 KV": ["--work", "decode", "--batch", "1", "--context", "4096"],
  "decode 16:1024, float32 KV": ["--work", "decode", "--batch", "16", "--context", "1024", "--kv-dtype", "float32"],
  "decode 16:1024, int8 KV": ["--work", "decode", "--batch", "16", "--context", "1024"],
  "decode 16:4096, int8 KV": ["--work", "decode", "--batch", "16", "--context", "4096"],
  "prefill 2048, float32 KV": ["--work", "prefill", "--context", "2048", "--kv-dtype", "float32"],
  "prefill 2048, int8 KV": ["--work", "prefill", "--context", "2048"],
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    pairs: { type: "string", default: "30" },
    threads: { type: "string", default: "2" },
    only: { type: "string", default: "" },
    share: { type: "string", default: "2" },
    own: { type: "boolean", default: false },
  },
});
const share = ["--share", values.share];

/**
 * The same of checkouts that are too far apart for one worker: each takes its own contenders' steps, a step a turn. Prompts
 * have no contender in the first house, so that today's knows both.
 */
const ownWorks: Readonly<Record<string, readonly string[]>> = {
  "step b": ["crosslayer_step.mjs", "--serve", "--size", "b"],
  "decode 1:1024, float32 KV": ["crosslayer_decode.mjs", "--contexts", "1024", ...share],
  "decode 1:4096, int8 KV": ["crosslayer_decode.mjs", "--contexts", "4096", "--kv-dtype", "int8", ...share],
  "decode 16:1024, float32 KV": ["crosslayer_decode.mjs", "--contexts", "1024", "--batch", "16", ...share],
  "decode 16:4096, int8 KV": [
    "crosslayer_decode.mjs",
    "--contexts",
    "4096",
    "--batch",
    "16",
    "--kv-dtype",
    "int8",
    ...share,
  ],
  "prefill 2048, float32 KV": ["checkout_prompt.mjs", "--kv-dtype", "float32", ...share],
  "prefill 2048, int8 KV": ["checkout_prompt.mjs", ...share],
};

if (positionals.length !== 2) throw new Error("give two built checkouts: npx tsx bench/checkouts.ts A B");
const roots = positionals.map((path) => resolve(path)) as [string, string];
const [worker, prompts] = ["checkout_worker.mjs", "checkout_prompt.mjs"].map((name) =>
  fileURLToPath(new URL(name, import.meta.url)),
) as [string, string];

console.log(`A ${roots[0]}\nB ${roots[1]}\n${values.pairs} pairs, ${values.threads} threads each\n`);
console.log("| | A, ms | B, ms | B/A, time (95%) | B/A, processor time (95%) | A, peak MB | B, peak MB |");
console.log("|---|--:|--:|--:|--:|--:|--:|");
for (const [name, options] of Object.entries(values.own ? ownWorks : works))
  if (name.includes(values.only)) await compare(name, options);

async function compare(name: string, options: readonly string[]): Promise<void> {
  const more = ["--threads", values.threads, ...(values.own ? [] : share)];
  const command = (root: string) => {
    const [script = "", ...rest] = options;
    if (!values.own) return [worker, "--root", root, ...options, ...more];
    if (script === basename(prompts)) return [prompts, "--root", root, ...rest, ...more];
    return [join(root, "bench", script), ...rest, ...more];
  };
  const both = roots.map((root) => new Contender<Report>(root, [process.execPath, ...command(root)])) as [
    Contender<Report>,
    Contender<Report>,
  ];
  try {
    for (const contender of both) {
      if (!(await contender.ready())?.startsWith("ready"))
        throw new Error(`${contender.name} does not start: is it built?`);
      for (let i = 0; i < 3; i++) await contender.step(); // compiles, allocates, settles: not counted
    }
    const times: [Report, Report][] = [];
    for (let pair = 0; pair < Number(values.pairs); pair++) {
      const order = pair % 2 ? [1, 0] : [0, 1];
      const found: Report[] = [];
      for (const i of order as (0 | 1)[]) {
        const report = await both[i].step();
        if (!report) throw new Error(`${both[i].name} ended`);
        found[i] = report;
      }
      times.push(found as [Report, Report]);
    }
    const ratioOf = (of: (report: Report) => number) => {
      const { ratio, low, high } = pairedRatio(times.map(([a, b]) => [of(a), of(b)]));
      return `${ratio.toFixed(3)} (${low.toFixed(3)}–${high.toFixed(3)})`;
    };
    const middle = (i: 0 | 1) => median(times.map((pair) => pair[i].ms)).toFixed(1);
    const [time, processor] = [ratioOf(({ ms }) => ms), ratioOf(({ cpuMs }) => cpuMs)];
    const peaks = both.map((contender) => contender.peakMB()?.toFixed(0) ?? "not known");
    console.log(`| ${[name, middle(0), middle(1), time, processor, ...peaks].join(" | ")} |`);
  } finally {
    for (const contender of both) await contender.stop();
  }
}
