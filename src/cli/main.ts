#!/usr/bin/env node
// The `crosslayer` command. A user's mistake, and what the system refuses, prints its message alone; a defect keeps its
// stack. Loads the commands itself, so that a system that does not even let their files be opened is told so, too.

import { CommanderError } from "commander";
import pc from "picocolors";
import { InputError } from "../error.ts";
import { systemError } from "../files/file-error.ts";
import { kebabCase } from "../options.ts";

/** Files that may be open at a time where nothing is ever short of them. */
const enoughOpenFiles = 1024;

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0); // the reader has seen enough
  throw error;
});

try {
  const { commandLine } = await import("./program.ts");
  await (await commandLine(process.argv[2])).parseAsync();
} catch (error) {
  const told = tooFewFiles(error) ?? systemError(error);
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (told instanceof InputError) {
    console.error(`${pc.red("error:")} ${told.inWordsOf((name) => `--${kebabCase(name)}`)}`);
    process.exitCode = 1;
  } else if ((error as Error).name === "EngineCrash") {
    console.error(`${pc.red("error:")} ${(error as Error).message}; it may have been short of memory: ask for less`);
    process.exitCode = 1;
  } else throw error;
}

/** What a failure means where so few files may be open that a program does not load; Node calls some of them missing. */
function tooFewFiles(error: unknown): InputError | undefined {
  if (!["EMFILE", "ERR_MODULE_NOT_FOUND"].includes((error as NodeJS.ErrnoException | undefined)?.code ?? "")) return;
  const report = process.report.getReport() as { userLimits?: { open_files?: { soft?: number | string } } };
  const most = Number(report.userLimits?.open_files?.soft ?? Number.NaN);
  if (!(most < enoughOpenFiles)) return;
  return new InputError(
    `too many files are open: ${most} are allowed; raise the limit (ulimit -n ${enoughOpenFiles})`,
    {
      cause: error,
    },
  );
}
