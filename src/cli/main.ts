#!/usr/bin/env node
// The `crosslayer` command: one file per subcommand. A user's mistake prints its message alone; a defect keeps its stack.

import { Command, CommanderError } from "commander";
import pc from "picocolors";
import { InputError } from "../error.ts";
import { kebabCase } from "../options.ts";
import { ownVersion } from "../study/trials/versions.ts";
import { benchCommand } from "./bench.ts";
import { convertCommand } from "./convert.ts";
import { devicesCommand } from "./devices.ts";
import { evalCommand } from "./eval.ts";
import { exportCommand } from "./export.ts";
import { generateCommand } from "./generate.ts";
import { importCommand } from "./import.ts";
import { inspectCommand } from "./inspect.ts";
import { planCommand } from "./plan.ts";
import { prepareCommand } from "./prepare.ts";
import { serveCommand } from "./serve.ts";
import { studyCommand } from "./study.ts";
import { tokenizerCommand } from "./tokenizer.ts";
import { trainCommand } from "./train.ts";

const program = new Command("crosslayer")
  .description("Language models whose layers share one KV cache: train them, compare them, run them.")
  .version(ownVersion())
  .exitOverride()
  .showHelpAfterError("(--help shows what there is)")
  .addHelpText(
    "after",
    `
Start with
  crosslayer study --preset demo              train three models, see what sharing saves and costs
  crosslayer inspect H128-MQA-CLA2 --scale 1b what a model of the paper's would take
  crosslayer train --data sotu --out runs/x   train one model
  crosslayer import ./SmolLM2-135M --out runs/y   bring a model of your own
  crosslayer generate runs/x "My fellow"      let it write
  crosslayer serve runs/x                     by the OpenAI API, with a page that shows what sharing saves
  crosslayer plan H128-MQA-CLA2 --scale 1b --memory 24GB   how many sequences fit
  crosslayer bench --quick                    what sharing saves when serving`,
  );

for (const command of [
  studyCommand,
  trainCommand,
  importCommand,
  convertCommand,
  exportCommand,
  evalCommand,
  generateCommand,
  serveCommand,
  inspectCommand,
  planCommand,
  benchCommand,
  tokenizerCommand,
  prepareCommand,
  devicesCommand,
]) {
  program.addCommand(command());
}
for (const command of program.commands) command.copyInheritedSettings(program);

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0); // the reader has seen enough
  throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (error instanceof InputError) {
    console.error(`${pc.red("error:")} ${error.inWordsOf((name) => `--${kebabCase(name)}`)}`);
    process.exitCode = 1;
  } else throw error;
}
