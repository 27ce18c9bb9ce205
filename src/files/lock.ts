// One process at a time in a directory. Each announces itself by a file named after its mark, then looks for others:
// of two that come at once at least one sees the other, and a dead one's file is never mistaken for a living one's.

import { closeSync, openSync, readdirSync, realpathSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../error.ts";
import { errorCode, fileError } from "./file-error.ts";
import { mayRun, ownMark, parseMark } from "./process-mark.ts";

const lockFile = /^lock\.([^.]+)$/;
const held = new Set<string>(); // by this process

/**
 * Locks `directory` until disposed of, or until this process ends. Locks of processes that no longer run are removed.
 * @throws InputError if a process that may still run holds it; says which, and what to remove if it does not.
 */
export function lockDirectory(directory: string): Disposable {
  let own: string;
  try {
    own = join(realpathSync(directory), `lock.${ownMark}`);
    if (held.has(own)) throw new InputError(`${directory}: in use by this process already; use one run at a time`);
    closeSync(openSync(own, "w"));
  } catch (error) {
    throw fileError("lock", directory, error);
  }
  held.add(own);
  let released = false;
  const release = () => {
    if (released) return; // by now it may be a later lock's
    released = true;
    held.delete(own);
    remove(own);
  };
  try {
    for (const name of readdirSync(directory)) {
      const mark = lockFile.exec(name)?.[1];
      const path = join(directory, name);
      if (mark === undefined || mark === ownMark) continue;
      if (mayRun(mark)) throw new InputError(inUse(directory, path, mark));
      remove(path);
    }
  } catch (error) {
    release();
    throw fileError("lock", directory, error);
  }
  return { [Symbol.dispose]: release };
}

function inUse(directory: string, path: string, mark: string): string {
  const { pid, host } = parseMark(mark) ?? {};
  const who = pid === undefined ? "another process" : `process ${pid} on ${host}`;
  return `${directory}: in use by ${who}; wait until it ends, or remove ${path} if it no longer runs`;
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
}
