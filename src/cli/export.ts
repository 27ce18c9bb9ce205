// `crosslayer export`: a run for other projects' programs.

import { Command, Option } from "commander";
import { bytesText } from "../charts/quantity.ts";
import { RunDirectory } from "../checkpoint/run-directory.ts";
import { InputError } from "../error.ts";
import { type FloatDtype, floatDtypes } from "../export/dtypes.ts";
import { exportHuggingFace, exportLmEngine } from "../export/export-checkpoint.ts";
import { exportOnnx, type OnnxDtype, onnxDtypes } from "../export/export-onnx.ts";
import { type TargetName, targetNames } from "../export/targets.ts";
import { memorySize } from "../plan/memory-size.ts";
import { interruptible } from "./interrupt.ts";
import { type Progress, progress } from "./progress.ts";

const kinds = ["huggingface", "lm-engine", "onnx"] as const;

interface Flags {
  to: (typeof kinds)[number];
  out: string;
  layout?: TargetName;
  dtype?: string;
  shard?: string;
}

/** The subcommand. */
export function exportCommand(): Command {
  return new Command("export")
    .description("a run for other programs: transformers and what reads its folders, the authors' engine, ONNX Runtime")
    .argument("<run>", "a run's directory")
    .addOption(new Option("--to <kind>", "which programs").choices(kinds).makeOptionMandatory())
    .requiredOption("--out <directory>", "a folder that is not there yet")
    .addOption(
      new Option(
        "--layout <name>",
        "huggingface: the architecture to tell it as (default: the most common one that it is)",
      ).choices(targetNames),
    )
    .option(
      "--dtype <type>",
      `of weights: ${floatDtypes.join(", ")} (default: as they are); onnx: ${onnxDtypes.join(", ")} (default: float32)`,
    )
    .option("--shard <size>", "huggingface, lm-engine: the most of a file of weights, as in 2GB (default: 5GB)")
    .action(runExport);
}

async function runExport(path: string, flags: Flags): Promise<void> {
  const run = await RunDirectory.open(path);
  await interruptible(async (signal) => {
    let bar: Progress | undefined;
    const onProgress = (done: number, total: number) => {
      bar ??= progress("writing", total);
      bar.update(done, bytesText(done));
    };
    try {
      const { lines, notes } = await written(run, flags, { signal, onProgress });
      bar?.stop();
      for (const note of notes) console.error(`note: ${note}`);
      for (const line of lines) console.log(line);
    } catch (error) {
      bar?.stop();
      if (!signal.aborted) throw error;
      console.error("stopped; nothing is written");
    }
  });
}

type Watch = { signal: AbortSignal; onProgress: (done: number, total: number) => void };

async function written(
  run: RunDirectory,
  flags: Flags,
  watch: Watch,
): Promise<{ lines: string[]; notes: readonly string[] }> {
  const { to, out, layout, shard } = flags;
  if (to !== "huggingface" && layout !== undefined)
    throw new InputError(`--layout: is of --to huggingface; ${to} has one`);
  if (to === "onnx") {
    if (shard !== undefined)
      throw new InputError("--shard: is of safetensors; onnx keeps its data in files below 2 GB");
    const dtype = chosen<OnnxDtype>(flags.dtype, onnxDtypes) ?? "float32";
    const { bytes, slots, file } = await exportOnnx(run, out, { dtype, ...watch });
    const past = `past_key_values.0 … ${slots - 1}`;
    return { lines: [`${file}, ${bytesText(bytes)}; its past is ${past}`, `written to ${out}`], notes: [] };
  }
  const dtype = chosen<FloatDtype>(flags.dtype, floatDtypes);
  const options = { dtype, ...(shard !== undefined && { shardBytes: memorySize(shard) }), ...watch };
  const found =
    to === "lm-engine"
      ? await exportLmEngine(run, out, options)
      : await exportHuggingFace(run, out, { target: layout, ...options });
  const { target, bytes, notes } = found;
  return {
    lines: [`${bytesText(bytes)} of weights as ${target}`, `written to ${out}`, ...usage(to, target, out)],
    notes,
  };
}

function usage(to: Flags["to"], target: TargetName, out: string): string[] {
  if (to === "lm-engine") return [`pretrain.yml trains it anew, continue.yml goes on from these weights`];
  if (target.startsWith("crosslayer-")) return [];
  const trust = target === "crosslayer" ? ", trust_remote_code=True" : "";
  return [`in Python: AutoModelForCausalLM.from_pretrained(${JSON.stringify(out)}${trust})`];
}

function chosen<Name extends string>(text: string | undefined, names: readonly Name[]): Name | undefined {
  if (text === undefined || names.includes(text as Name)) return text as Name | undefined;
  throw new InputError(`--dtype: found "${text}"; here it is ${names.join(", ")}`);
}
