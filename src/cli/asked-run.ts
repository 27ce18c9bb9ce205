// Opens the run that a command is asked about. If the directory is a study, the error lists its runs.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { RunDirectory } from "../checkpoint/run-directory.ts";
import { InputError } from "../error.ts";
import { trialsPath } from "../study/trials/sweep.ts";

/** The most runs of a study that are told. */
const mostToldRuns = 20;

/** Opens the run at `path`. @throws InputError if there is none, with the runs of the study that is there. */
export async function askedRun(path: string): Promise<RunDirectory> {
  checkNoStudy(path);
  return RunDirectory.open(path);
}

/** Throws InputError where `path` is a study's directory. */
export function checkNoStudy(path: string): void {
  if (RunDirectory.exists(path) || !existsSync(trialsPath(path))) return;
  const runs = readdirSync(trialsPath(path))
    .filter((name) => !name.startsWith("."))
    .map((name) => join(trialsPath(path), name))
    .filter((trial) => RunDirectory.exists(trial))
    .sort();
  const more = runs.length > mostToldRuns ? [`and ${runs.length - mostToldRuns} more`] : [];
  const told = runs.length === 0 ? "it has no runs yet" : "name one of its runs:";
  throw new InputError([`${path}: is a study; ${told}`, ...runs.slice(0, mostToldRuns), ...more].join("\n  "));
}
