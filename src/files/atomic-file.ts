// Files that are whole or absent: written beside their place under a temporary name, synced, and renamed over it. A
// crash at any moment leaves the old file or the new one. Knows no format.

import { readdirSync, unlinkSync } from "node:fs";
import { type FileHandle, open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errorCode, fileError } from "./file-error.ts";
import { mayRun, ownMark } from "./process-mark.ts";

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
  const temp = join(directory, `.${basename(path).slice(0, 100)}.${ownMark}.${count++}.tmp`);
  try {
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

/** Makes a rename last. Windows can neither open directories nor needs to. */
async function syncDirectory(directory: string): Promise<void> {
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
