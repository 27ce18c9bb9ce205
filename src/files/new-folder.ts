// A folder that appears whole or not at all: it is filled beside its place under another name, and renamed.

import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { InputError } from "../error.ts";
import { makeDirectory } from "./directory.ts";
import { fileError } from "./file-error.ts";
import { mayRun, ownMark } from "./process-mark.ts";

/** Refuses a place where something lies already. @throws InputError if it is a file, or a folder that is not empty. */
export function checkNewFolder(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isDirectory()) throw new InputError(`${path}: is a file; name a folder that is not there yet`);
  if (readdirSync(path).length === 0) return;
  throw new InputError(`${path}: holds files already; choose another folder, or empty it`);
}

/**
 * Makes the folder at `path` of what `fill` writes into the folder that it is given.
 * @throws InputError if the place is taken or cannot be written, and whatever `fill` throws; then nothing is left behind.
 */
export async function newFolder<T>(path: string, fill: (folder: string) => Promise<T>): Promise<T> {
  checkNewFolder(path);
  const place = resolve(path);
  const temporary = join(dirname(place), `.${basename(place)}.${ownMark}.tmp`);
  try {
    makeDirectory(dirname(place));
    removeStaleFolders(place);
    mkdirSync(temporary);
  } catch (error) {
    throw fileError("create", path, error);
  }
  try {
    const made = await fill(temporary);
    try {
      renameSync(temporary, place);
    } catch (error) {
      checkNewFolder(path); // another process may have been quicker
      throw fileError("create", path, error);
    }
    return made;
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
}

/** Removes what killed processes have left of the folder that was to stand at `place`. */
function removeStaleFolders(place: string): void {
  const beginning = `.${basename(place)}.`;
  for (const name of readdirSync(dirname(place))) {
    const mark = name.startsWith(beginning) && name.endsWith(".tmp") ? name.slice(beginning.length, -4) : "";
    if (mark !== "" && !mayRun(mark)) rmSync(join(dirname(place), name), { recursive: true, force: true });
  }
}
