// One process at a time in a directory, or at a file. Each announces itself by a file named after its mark, then looks for
// others. Of two that come at once at least one sees the other, and a dead process's file is never taken for a living
// one's.

import { closeSync, existsSync, openSync, readdirSync, realpathSync, unlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { InputError } from "../error.ts";
import { errorCode, fileError } from "./file-error.ts";
import { mayRun, ownMark, parseMark } from "./process-mark.ts";

const held = new Set<string>(); // by this process

/**
 * Locks `directory` until disposed of, or until this process ends. Locks of processes that no longer run are removed.
 * @throws InputError if a process that may still run holds it; says which, and what to remove if it does not.
 */
export function lockDirectory(directory: string): Disposable {
  return locked(directory, () => join(realpathSync(directory), "lock."));
}

/** As `lockDirectory`, of the file at `path`, which need not be there; the lock's file lies beside it. */
export function lockFile(path: string): Disposable {
  return locked(path, () => {
    const real = existsSync(path) ? realpathSync(path) : join(realpathSync(dirname(path)), basename(path));
    return join(dirname(real), `.${basename(real).slice(0, 100)}.lock.`);
  });
}

/** A lock on what people call `name`; its files are called `prefix()` and a mark. */
function locked(name: string, prefix: () => string): Disposable {
  let beginning: string;
  let own: string;
  try {
    beginning = prefix();
    own = `${beginning}${ownMark}`;
    if (held.has(own)) throw new InputError(`${name}: in use by this process already; use one run at a time`);
    closeSync(openSync(own, "w"));
  } catch (error) {
    throw fileError("lock", name, error);
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
    for (const file of readdirSync(dirname(beginning))) {
      const mark = file.startsWith(basename(beginning)) ? file.slice(basename(beginning).length) : "";
      if (mark === "" || mark.includes(".") || mark === ownMark) continue;
      const path = join(dirname(beginning), file);
      if (mayRun(mark)) throw new InputError(inUse(name, path, mark));
      remove(path);
    }
  } catch (error) {
    release();
    throw fileError("lock", name, error);
  }
  return { [Symbol.dispose]: release };
}

function inUse(name: string, path: string, mark: string): string {
  const { pid, host } = parseMark(mark) ?? {};
  const who = pid === undefined ? "another process" : `process ${pid} on ${host}`;
  return `${name}: in use by ${who}; wait until it ends, or remove ${path} if it no longer runs`;
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
}
