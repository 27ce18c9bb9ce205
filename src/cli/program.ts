// The subcommands of `crosslayer`, one file each.

import { Command } from "commander";
import { InputError } from "../error.ts";
import { kebabCase } from "../options.ts";
import { ownVersion } from "../study/trials/versions.ts";

/** The subcommands, loaded when they are asked for. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  study: async () => (await import("./study.ts")).studyCommand(),
  train: async () => (await import("./train.ts")).trainCommand(),
  import: async () => (await import("./import.ts")).importCommand(),
  convert: async () => (await import("./convert.ts")).convertCommand(),
  export: async () => (await import("./export.ts")).exportCommand(),
  eval: async () => (await import("./eval.ts")).evalCommand(),
  generate: async () => (await import("./generate.ts")).generateCommand(),
  serve: async () => (await import("./serve.ts")).serveCommand(),
  inspect: async () => (await import("./inspect.ts")).inspectCommand(),
  plan: async () => (await import("./plan.ts")).planCommand(),
  bench: async () => (await import("./bench.ts")).benchCommand(),
  tokenizer: async () => (await import("./tokenizer.ts")).tokenizerCommand(),
  prepare: async () => (await import("./prepare.ts")).prepareCommand(),
  devices: async () => (await import("./devices.ts")).devicesCommand(),
};

/** The command line with the subcommand `asked`, or with all where that is none. */
export async function commandLine(asked: string | undefined): Promise<Command> {
  const only = asked !== undefined && Object.hasOwn(commands, asked) ? commands[asked] : undefined;
  const program = root();
  // One after another: together they would open more files at a time than some systems allow.
  for (const load of only ? [only] : Object.values(commands)) program.addCommand(await load());
  for (const command of program.commands) command.copyInheritedSettings(program);
  return program;
}

/** Options that name a place. */
const paths = [
  "out",
  "data",
  "tokenizer",
  "file",
  "samples",
  "tasksDir",
  "config",
  "validation",
  "test",
  "init",
  "teacher",
];

/** Throws InputError for a place without a name, which would be taken for the one that the command runs in. */
function checkPaths(options: Readonly<Record<string, unknown>>): void {
  const empty = paths.find((name) => options[name] === "");
  if (empty !== undefined) throw new InputError(`--${kebabCase(empty)}: is empty; name a place`);
}

function root(): Command {
  return new Command("crosslayer")
    .description("Language models whose layers share one KV cache: train them, compare them, run them.")
    .version(ownVersion())
    .hook("preAction", (_, command) => checkPaths(command.opts()))
    .enablePositionalOptions() // what follows `study merge` is of merge, not of study
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
}
