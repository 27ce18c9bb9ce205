// `crosslayer import`: another project's model as a run of ours.

import { Command, Option } from "commander";
import { bytesText, countText, integerText } from "../charts/quantity.ts";
import { RunDirectory } from "../checkpoint/run-directory.ts";
import { InputError } from "../error.ts";
import { importModel } from "../foreign/import-model.ts";
import { type LayoutName, layouts } from "../foreign/layouts.ts";
import { openCheckpoint } from "../foreign/open-checkpoint.ts";
import { kvBytesPerToken, parameterCount } from "../model/cost.ts";
import { modelName } from "../model/model-name.ts";
import { interruptible } from "./interrupt.ts";
import { whole } from "./numbers.ts";
import { type Progress, progress } from "./progress.ts";

interface Flags {
  out: string;
  tokenizer?: string;
  context?: number;
  layout?: LayoutName;
}

/** The subcommand. */
export function importCommand(): Command {
  return new Command("import")
    .description(
      "another project's model as a run: a Hugging Face folder (safetensors), a GGUF file, a .bin of llama2.c",
    )
    .argument("<model>", "a folder with config.json and safetensors, hf:owner/name[@revision], a .gguf or a .bin")
    .requiredOption("--out <directory>", "the run's directory")
    .option("--tokenizer <file>", "a tokenizer, where the model's files have none")
    .option("--context <tokens>", "longest text, if shorter than the model's", whole(1))
    .addOption(
      new Option("--layout <name>", "how its tensors lie, if the config does not tell").choices(Object.keys(layouts)),
    )
    .action(runImport);
}

async function runImport(spec: string, { out, context, ...options }: Flags): Promise<void> {
  if (RunDirectory.exists(out)) throw new InputError(`${out}: holds a run already; choose another --out`);
  await interruptible(async (signal) => {
    await using checkpoint = await openCheckpoint(spec, { ...options, signal });
    const { model, type } = checkpoint;
    const { total } = parameterCount(model);
    console.error(`${checkpoint.title} (${type}) is ${modelName(model)}: ${countText(total)} parameters`);
    let bar: Progress | undefined;
    const started = performance.now();
    const onProgress = (done: number, bytes: number) => {
      bar ??= progress("reading MiB", Math.ceil(bytes / 2 ** 20));
      bar.update(Math.floor(done / 2 ** 20), bytesText(done));
    };
    try {
      const { bytes, notes } = await importModel(checkpoint, out, { context, signal, onProgress });
      bar?.stop();
      for (const note of notes) console.error(`note: ${note}`);
      const seconds = (performance.now() - started) / 1000;
      console.log(
        `${bytesText(bytes)} of weights in ${seconds.toFixed(1)} s; KV cache ${integerText(kvBytesPerToken(model, "float32"))} bytes/token (float32)`,
      );
      console.log(`written to ${out}; try: crosslayer generate ${out} "…"`);
    } catch (error) {
      bar?.stop();
      if (!signal.aborted) throw error;
      console.error("stopped; nothing is written");
    }
  });
}
