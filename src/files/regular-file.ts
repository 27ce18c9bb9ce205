// Files that are read whole, and only such as have an end: a pipe, a socket or a device is refused, not waited for. Knows
// not what is in them.

import { readFileSync, statSync } from "node:fs";
import { InputError } from "../error.ts";
import { fileError } from "./file-error.ts";

/** What is wrong with a path that leads to something without an end. */
export const endless = "is a pipe, a socket or a device; save what it gives to a file";

/** Throws an InputError where `path` leads to a pipe, a socket or a device, which would block or never end. */
export function checkEnds(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found && !found.isFile() && !found.isDirectory()) throw new InputError(`${path}: ${endless}`);
}

/** The bytes of the file at `path`. @throws InputError if it cannot be read, is no file or has no end. */
export function readWhole(path: string): Buffer {
  try {
    checkEnds(path);
    return readFileSync(path);
  } catch (error) {
    throw fileError("read", path, error);
  }
}

/** The text of the file at `path`, without a byte order mark. @throws InputError as `readWhole`, and if it is not UTF-8. */
export function readWholeText(path: string): string {
  const bytes = readWhole(path);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    const known = fileError("read", path, error); // longer than a string can be
    throw known instanceof InputError ? known : new InputError(`${path}: not UTF-8 text`, { cause: error });
  }
}
