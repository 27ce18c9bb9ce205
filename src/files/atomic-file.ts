// Files that are whole or absent: written beside their place under a temporary name, synced, and renamed over it. A
// crash at any moment leaves the old file or the new one. Knows no format.

import { closeSync, fdatasync, fsyncSync, openSync, readdirSync, renameSync, unlinkSync, writeSync } from "node:fs";
import { type FileHandle, open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errorCode, fileError } from "./file-error.ts";
import { mayRun, ownMark } from "./process-mark.ts";
import { checkEnds } from "./regular-file.ts";

const temporary = /^\..+\.([^.]+)\.\d+\.tmp$/; // .<name>.<mark>.<count>.tmp
const largestWrite = 2 ** 28; // bytes; the system takes less than 2 GiB at once
let count = 0;

/**
 * Replaces the file at `path` by `chunks` in order. When it resolves, the file survives a power cut; when it rejects
 * because the file could not be written, `path` is as it was and nothing else is left behind. The chunks must not change
 * meanwhile.
 * @throws InputError if the disk is full, or the place cannot be written.
 */
export async function writeAtomic(path: string, chunks: Iterable<Uint8Array>): Promise<void> {
  const directory = dirname(path);
  const temp = temporaryOf(path);
  try {
    checkEnds(path); // what is there would be replaced
    const handle = await open(temp, "wx");
    try {
      for (const chunk of chunks) await writeAll(handle, chunk);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temp, path);
  } catch (error) {
    await unlink(temp).catch(() => {}); // it may never have been there
    throw fileError("write", path, error);
  }
  await syncDirectory(directory);
}

/** A file that is written piece by piece, and appears at its path when it is finished. */
export class AtomicFile implements Disposable {
  readonly #path: string;
  readonly #temporary: string;
  #file: number | undefined;
  #finished = false;

  /** Begins the file that will stand at `path`. @throws InputError if the place cannot be written. */
  constructor(path: string) {
    this.#path = path;
    this.#temporary = temporaryOf(path);
    this.#file = this.#attempt(() => {
      checkEnds(path); // what is there would be replaced
      return openSync(this.#temporary, "wx");
    });
  }

  /** Writes `bytes` from byte `at` on. @throws InputError if the disk is full. */
  write(bytes: Uint8Array, at: number): void {
    const file = this.#open();
    this.#attempt(() => {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(file, bytes, done, Math.min(bytes.length - done, largestWrite), at + done);
      }
    });
  }

  /**
   * Has the system write down what it was given so far, while more is made: it would begin when the file is finished. Wait
   * for it before the file is finished or given up. @throws InputError if the disk is full.
   */
  flush(): Promise<void> {
    const file = this.#open();
    return new Promise((resolve, reject) => {
      fdatasync(file, (error) => (error ? reject(fileError("write", this.#path, error)) : resolve()));
    });
  }

  /** Puts the file in its place, synced. @throws InputError if that cannot be done. */
  finish(): void {
    const file = this.#open();
    this.#attempt(() => {
      fsyncSync(file);
      this.#close();
      renameSync(this.#temporary, this.#path);
    });
    this.#finished = true;
  }

  /** Gives up what is not finished, and leaves nothing behind. */
  [Symbol.dispose](): void {
    if (this.#finished) return;
    this.#close();
    removed(this.#temporary);
  }

  #close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #open(): number {
    if (this.#file === undefined) throw new TypeError(`${this.#path}: is finished or given up`);
    return this.#file;
  }

  #attempt<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw fileError("write", this.#path, error);
    }
  }
}

function temporaryOf(path: string): string {
  return join(dirname(path), `.${basename(path).slice(0, 100)}.${ownMark}.${count++}.tmp`);
}

/**
 * Removes what writes by processes that no longer run have left in `directory`, and returns the names removed. Writes
 * in progress, in this process or another, are left alone.
 */
export function removeStale(directory: string): string[] {
  try {
    const stale = readdirSync(directory).filter((name) => {
      const mark = temporary.exec(name)?.[1];
      return mark !== undefined && !mayRun(mark);
    });
    return stale.filter((name) => removed(join(directory, name)));
  } catch (error) {
    throw fileError("clean up", directory, error);
  }
}

function removed(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false; // another process was quicker
    throw error;
  }
}

async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.byteLength; ) {
    const { bytesWritten } = await handle.write(chunk, at, Math.min(chunk.byteLength - at, largestWrite));
    at += bytesWritten;
  }
}

/** Makes a new name in `directory` last. Windows can neither open directories nor needs to. */
export async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === "win32") return;
  try {
    const handle = await open(directory, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    // Some file systems cannot sync directories, and a directory may be writable but not readable.
    if (!["EINVAL", "ENOTSUP", "EACCES", "EPERM"].includes(errorCode(error) ?? "")) {
      throw fileError("sync", directory, error);
    }
  }
}
