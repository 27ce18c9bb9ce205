// `crosslayer bench`: the inference evaluation, of the same model with sharing and without, on random weights.

import { join } from "node:path";
import { Command, Option } from "commander";
import pc from "picocolors";
import { InputError } from "../error.ts";
import { writeAtomic } from "../files/atomic-file.ts";
import { makeDirectory } from "../files/directory.ts";
import { engineSchema, type ResolvedOptions } from "../generate/engine-options.ts";
import { kvDtypes } from "../model/formats.ts";
import { type Family, namedModel } from "../model/name.ts";
import { memorySize } from "../plan/memory-size.ts";
import type { Device } from "../runtime/device.ts";
import { cpuName, openDevice } from "../runtime/open-device.ts";
import { type InferencePlan, type InferenceResults, measureInference } from "../study/inference/inference.ts";
import { inferenceCharts } from "../study/inference/inference-chart.ts";
import { inferenceMarkdown, inferenceSheets, inferenceText } from "../study/inference/inference-table.ts";
import { versions } from "../study/trials/versions.ts";
import { interruptible } from "./interrupt.ts";
import { option } from "./option.ts";
import { progress } from "./progress.ts";

/** Sizes by name: `m1` has 22M parameters outside its embedding, `m2` 180M. */
const sizes: Readonly<Record<string, Family>> = {
  m1: { layers: 8, width: 512, mlpWidth: 1376, vocab: 8192, context: 16384 },
  m2: { layers: 16, width: 1024, mlpWidth: 2752, vocab: 8192, context: 16384 },
};

interface Flags {
  quick?: boolean;
  json?: boolean;
  size: string;
  models?: string;
  kvDtypes?: string;
  weights: ResolvedOptions["weights"];
  kvMemory: string;
  batches?: string;
  contexts?: string;
  threads?: number;
  out: string;
}

/** The subcommand. */
export function benchCommand(): Command {
  return new Command("bench")
    .description(
      "what sharing saves and costs in inference: capacity, first token, decoding, throughput; random weights",
    )
    .option("--quick", "less than a minute: two batches, one context, no serving")
    .addOption(new Option("--size <name>", "layers, width and vocabulary").choices(Object.keys(sizes)).default("m1"))
    .option("--models <names>", "what to compare (default: H64-MQA, H64-MQA-CLA2, H64-MQA-CLA4; H128 at m2)")
    .option("--kv-dtypes <types>", `how keys and values are kept (default: ${kvDtypes.join()})`)
    .addOption(option(engineSchema, "weights", "<type>").default("int8"))
    .option("--kv-memory <size>", "the memory whose capacity is told", "64MB")
    .option("--batches <counts>", "sequences decoded at one time (default: 1,4,16; quick: 1,16)")
    .option("--contexts <tokens>", "tokens of each (default: 1024,4096; quick: 1024)")
    .addOption(option(engineSchema, "threads", "<count>"))
    .option("--out <directory>", "where tables and pictures go", join("runs", "bench"))
    .option("--json", "print one JSON object, write no files")
    .action(runBench);
}

async function runBench(flags: Flags): Promise<void> {
  const plan = planOf(flags);
  const start = performance.now();
  await interruptible(async (signal) => {
    await using device = await openDevice(cpuName(flags.threads));
    const results = await watch(device, plan, signal);
    if (!results) return;
    const seconds = (performance.now() - start) / 1000;
    const about = {
      size: flags.size,
      weights: plan.weights,
      threads: flags.threads,
      seconds,
      versions: versions(device.runtime),
    };
    if (flags.json) {
      console.log(JSON.stringify({ ...results, ...about }));
      return;
    }
    const sheets = inferenceSheets(results);
    const files: Record<string, string> = {
      ...inferenceCharts(results),
      "inference.md": `${inferenceMarkdown(sheets)}\n`,
      "inference.json": `${JSON.stringify({ ...results, ...about }, undefined, 2)}\n`,
    };
    makeDirectory(flags.out);
    for (const [name, content] of Object.entries(files)) {
      await writeAtomic(join(flags.out, name), [new TextEncoder().encode(content)]);
    }
    console.log(inferenceText(sheets));
    console.log(`\nJavaScript's part of a step at the largest batch: ${(100 * results.hostShare).toFixed(1)}%`);
    console.error(
      pc.dim(
        Object.keys(files)
          .map((name) => join(flags.out, name))
          .join("\n"),
      ),
    );
  });
}

async function watch(device: Device, plan: InferencePlan, signal: AbortSignal): Promise<InferenceResults | undefined> {
  const steps = measureInference(device, plan, signal);
  let shown: ReturnType<typeof progress> | undefined;
  try {
    for (;;) {
      const next = await steps.next();
      if (next.done) return next.value;
      const { done, total, doing } = next.value;
      shown ??= progress("bench", total);
      shown.update(done, doing);
    }
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  } finally {
    shown?.stop();
  }
}

function planOf(flags: Flags): InferencePlan {
  const { quick = false, size, weights } = flags;
  const family = sizes[size] as Family;
  const head = size === "m1" ? "H64" : "H128";
  const names = list(flags.models ?? `${head}-MQA,${head}-MQA-CLA2,${head}-MQA-CLA4`);
  const asked = list(flags.kvDtypes ?? kvDtypes.join()).map((dtype) => {
    const found = kvDtypes.find((known) => known === dtype);
    if (found) return found;
    throw new InputError(`--kv-dtypes: found "${dtype}", expected ${kvDtypes.join(" or ")}`);
  });
  return {
    models: names.map((name) => ({ name, config: namedModel(name, family) })),
    kvDtypes: asked,
    weights,
    kvMemory: memorySize(flags.kvMemory),
    batches: counts("--batches", flags.batches ?? (quick ? "1,16" : "1,4,16")),
    contexts: counts("--contexts", flags.contexts ?? (quick ? "1024" : "1024,4096")),
    steps: quick ? 15 : 31,
    prompts: quick ? [512] : [512, 2048],
    memories: quick ? [] : [16e6, 32e6, 64e6, 128e6],
    requests: { count: 32, prompt: 1792, tokens: 256 },
  };
}

function list(text: string): string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function counts(option: string, text: string): number[] {
  const parsed = list(text).map(Number);
  if (parsed.length > 0 && parsed.every((count) => Number.isInteger(count) && count >= 1)) return parsed;
  throw new InputError(`${option}: found "${text}", expected whole numbers such as 1,4,16`);
}
