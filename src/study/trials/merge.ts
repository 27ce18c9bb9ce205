// One study from several: the same plan run in parts, on several machines or in several sittings. Runs are known by their
// keys, which name model, recipe and text by content, so what one part has done counts in the whole.

import { cp, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../../error.ts";
import { writeAtomic } from "../../files/atomic-file.ts";
import { makeDirectory } from "../../files/directory.ts";
import { errorCode } from "../../files/file-error.ts";
import { lockDirectory } from "../../files/lock.ts";
import { newFolder } from "../../files/new-folder.ts";
import { type Result, readResults, resultLines } from "../numbers/result.ts";
import { resultsPath, trialsPath } from "./sweep.ts";
import { keyOfTrial } from "./trial.ts";

/** What a merge did. */
export interface Merged {
  readonly results: readonly Result[];
  /** How many the directory did not have before. */
  readonly added: number;
  /** Runs of one key whose loss differs between parts, as other hardware may make it; the first is kept. */
  readonly differing: readonly { readonly kept: Result; readonly left: Result }[];
  /** Directories of runs that were copied. */
  readonly copied: readonly string[];
}

/**
 * Puts results and runs of `parts` (a study's directory, or a file of results) into the study at `directory`, whose own
 * come first. Finished runs alone are copied; a run that is there stays as it is.
 * @throws InputError if a part holds no results, or another process works on the study.
 */
export async function mergeStudies(directory: string, parts: readonly string[]): Promise<Merged> {
  const found = new Map<string, Result>();
  const differing: { kept: Result; left: Result }[] = [];
  const add = (result: Result) => {
    const kept = found.get(result.key);
    if (!kept) found.set(result.key, result);
    else if (!Object.is(kept.validation.loss, result.validation.loss)) differing.push({ kept, left: result });
  };
  const directories: string[] = [];
  const added: Result[] = [];
  for (const part of parts) {
    const kind = await stat(part).catch(() => undefined);
    const path = kind?.isDirectory() ? resultsPath(part) : part;
    const results = kind ? await readResults(path) : [];
    if (results.length === 0) {
      throw new InputError(`study merge: ${part} holds no results; give a study's directory or a results.jsonl`);
    }
    added.push(...results);
    if (kind?.isDirectory()) directories.push(part);
  }
  makeDirectory(trialsPath(directory));
  using _lock = lockDirectory(directory);
  (await readResults(resultsPath(directory))).forEach(add);
  const before = found.size;
  added.forEach(add);
  const copied: string[] = [];
  for (const part of directories) copied.push(...(await copyTrials(part, directory, found)));
  await writeAtomic(resultsPath(directory), [new TextEncoder().encode(resultLines([...found.values()]))]);
  return { results: [...found.values()], added: found.size - before, differing, copied };
}

async function copyTrials(from: string, to: string, done: ReadonlyMap<string, Result>): Promise<string[]> {
  const names = await readdir(trialsPath(from)).catch((error) => {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  });
  const there = new Set(await readdir(trialsPath(to)));
  const wanted = names.filter((name) => !there.has(name) && done.has(keyOfTrial(name)));
  for (const name of wanted) {
    const run = join(trialsPath(from), name);
    await newFolder(join(trialsPath(to), name), (folder) => cp(run, folder, { recursive: true }));
  }
  return wanted;
}
