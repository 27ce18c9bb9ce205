// Directories that are made with those above them. Knows not what goes into them.

import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { errorCode, fileError } from "./file-error.ts";

/**
 * Makes a directory and those above it, as far as they are not there. Node's own `recursive` does not end in /proc,
 * and says of a read-only disk, and of a link that leads nowhere, that there is no such file.
 * @throws InputError if it cannot be made.
 */
export function makeDirectory(path: string): void {
  try {
    make(path);
  } catch (error) {
    throw fileError("create", path, error);
  }
}

function make(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
    const above = dirname(path);
    if (errorCode(error) !== "ENOENT" || above === path || existsSync(above)) throw error;
    make(above);
    make(path);
  }
}
