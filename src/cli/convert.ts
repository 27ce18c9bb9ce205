// `crosslayer convert`: a run made one with a smaller KV cache, in a directory of its own.

import { Command, InvalidArgumentError, Option } from "commander";
import { integerText } from "../charts/quantity.ts";
import { sharingPicture } from "../charts/sharing-picture.ts";
import type { Stage } from "../convert/conversion.ts";
import { type Init, inits } from "../convert/init.ts";
import type { Budget } from "../convert/search.ts";
import { kvBytesPerToken } from "../model/cost.ts";
import { modelName } from "../model/model-name.ts";
import { parseSharing } from "../model/name.ts";
import type { Device } from "../runtime/device.ts";
import { type DeviceFlags, openAsked } from "./device-options.ts";
import { interruptible } from "./interrupt.ts";
import { count, partOrSize, whole } from "./numbers.ts";
import { type Progress, progress } from "./progress.ts";

interface Flags extends DeviceFlags {
  out: string;
  sharing?: string;
  search?: Budget;
  kvHeads?: number;
  init: Init;
  calibrate?: string;
  field?: string;
  calibrateTokens?: number;
}

/** The subcommand. */
export function convertCommand(): Command {
  return new Command("convert")
    .description("make a run's layers share keys and values, or its heads, without training; `train --init` goes on")
    .argument("<run>", "the directory of the run that is converted, which stays as it is")
    .requiredOption("--out <directory>", "the converted run's directory")
    .option("--sharing <pattern>", "which layers share: a factor (2), a pattern (2-KeepEnds) or a list (0,0,2,2)")
    .option(
      "--search <budget>",
      "search the sharing that loses least: a part of the run's KV bytes (0.5), or bytes per token in float32 (6kB)",
      budget,
    )
    .option("--kv-heads <count>", "KV heads of the target: heads of a layer are merged (default: the run's)", whole(1))
    .addOption(
      new Option("--init <kind>", "what shared keys and values begin as: fitted to text, the owner's, or the mean")
        .choices([...inits])
        .default("fit"),
    )
    .option(
      "--calibrate <source>",
      "text to fit and search by: sotu, a file or directory, hf:owner/dataset, prepared text (default: the run's own)",
    )
    .option("--field <name>", 'where a .jsonl or .parquet has its text (default: "text")')
    .option("--calibrate-tokens <count>", "tokens of that text (default: 32K, or 16 for each of the width)", count)
    .option("--device <name>", "cpu, cuda, cuda:1, tpu or xla, for calibration and search (default: cpu)")
    .option("--threads <count>", "threads of each operation on the CPU (default: all cores)", whole(1, 1024))
    .action(runConvert);
}

async function runConvert(path: string, flags: Flags): Promise<void> {
  const { out, sharing, search, kvHeads, init, calibrate, field, calibrateTokens } = flags;
  await interruptible(async (signal) => {
    const { convertRun } = await import("../convert/conversion.ts"); // brings linear algebra that others do without
    let opened: Device | undefined;
    const tell = stages();
    try {
      const { from, to, identical, losses } = await convertRun(
        {
          ...{ from: path, out, init, kvHeads, calibrate, field, calibrationTokens: calibrateTokens, signal },
          budget: search,
          sharing: sharing === undefined ? undefined : (layers) => parseSharing(sharing, layers),
          onProgress: tell.update,
        },
        async () => {
          opened ??= await openAsked(flags);
          return opened;
        },
      );
      tell.stop();
      if (losses) {
        console.log(
          "what each merge loses alone (KL divergence from the model before, nats per token of the calibration text):",
        );
        for (const [layers, loss] of Object.entries(losses)) {
          console.log(`  layers ${layers.padEnd(7)} ${loss.toFixed(4)}`);
        }
      }
      const [before, after] = [kvBytesPerToken(from, "float32"), kvBytesPerToken(to, "float32")];
      console.log(
        [
          sharingPicture(to.sharing),
          "",
          `${modelName(from)}, ${integerText(before)} KV bytes per token (float32) → ${modelName(to)}, ${integerText(after)}`,
          identical
            ? "nothing is shared that was not: the weights are the same, to the bit"
            : `written to ${out}; measure it: crosslayer eval ${out}; recover: crosslayer train --init ${out} --teacher ${path} --out …`,
        ].join("\n"),
      );
    } catch (error) {
      tell.stop();
      if (signal.aborted) console.error("stopped; nothing was written");
      else throw error;
    } finally {
      await opened?.[Symbol.asyncDispose]();
    }
  });
}

/** A bar for each stage of a conversion, the one before being ended. */
function stages(): { update(stage: Stage, done: number, total: number): void; stop(): void } {
  let current: { stage: Stage; bar: Progress } | undefined;
  const stop = () => current?.bar.stop();
  return {
    update(stage, done, total) {
      if (current?.stage !== stage) {
        stop();
        current = { stage, bar: progress(stage, total) };
      }
      current.bar.update(done, "");
    },
    stop,
  };
}

/** A part below 1 of the run's KV bytes, or bytes of a token. */
function budget(text: string): Budget {
  if (/^\d+$/.test(text.trim()) && Number(text) >= 1) return { bytes: Number(text) };
  const value = partOrSize(text);
  if (value <= 0) throw new InvalidArgumentError("It must be above 0.");
  return value < 1 ? { ratio: value } : { bytes: value };
}
