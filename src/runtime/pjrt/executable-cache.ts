// Compiled programs kept on disk, by what they were compiled from: a minute of compilation becomes a second of loading.
// Several processes may use one folder; a program that is damaged or of another version is compiled again.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { writeAtomic } from "../../files/atomic-file.ts";
import { makeDirectory } from "../../files/directory.ts";
import type { PjrtClient, PjrtExecutable } from "./client.ts";
import type { CompileTarget } from "./compile-options.ts";

/** Bytes that a folder may hold; what was used longest ago goes first. */
const mostBytes = 2 ** 30;

/** The folder: `CROSSLAYER_CACHE`, or `crosslayer/xla` among the user's caches. */
export function cacheFolder(): string {
  const base =
    process.env.CROSSLAYER_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "crosslayer");
  return join(base, "xla");
}

/** A program, and a hash of its bytes where the plugin gives them. */
export interface CachedExecutable {
  readonly executable: PjrtExecutable;
  readonly digest: string | undefined;
}

/** The programs of one kind of device and version of its plugin, which `identity` tells apart from others. */
export class ExecutableCache {
  readonly #folder: string;
  readonly #identity: string;

  constructor(identity: string, folder = cacheFolder()) {
    this.#identity = identity;
    this.#folder = folder;
  }

  /**
   * The program of a module's text: the one that is kept, or compiled now and kept. Its digest tells whether it is the same
   * as another time: compiled again, a program may have chosen other kernels, which round otherwise.
   */
  async executable(client: PjrtClient, text: string, target: CompileTarget = {}): Promise<CachedExecutable> {
    const path = join(this.#folder, this.key(text, target));
    const kept = this.#read(path);
    if (kept) {
      try {
        return { executable: await client.load(kept, target), digest: digestOf(kept) };
      } catch {
        rmSync(path, { force: true });
      }
    }
    const executable = await client.compile(text, target);
    return { executable, digest: await this.#write(path, executable) };
  }

  /** The name under which a program is kept. */
  key(text: string, target: CompileTarget = {}): string {
    const flags = process.env.XLA_FLAGS ?? "";
    const identity = JSON.stringify([this.#identity, flags, target.devices ?? [0]]);
    return createHash("sha256").update(identity).update(text).digest("hex");
  }

  #read(path: string): Uint8Array | undefined {
    try {
      const bytes = readFileSync(path);
      const now = new Date();
      utimesSync(path, now, now);
      const digest = createHash("sha256").update(bytes.subarray(32)).digest();
      return digest.equals(bytes.subarray(0, 32)) ? bytes.subarray(32) : undefined;
    } catch {
      return undefined;
    }
  }

  // That a program cannot be kept, on a full disk or by a plugin that does not serialise, costs time alone.
  async #write(path: string, executable: PjrtExecutable): Promise<string | undefined> {
    let digest: string | undefined;
    try {
      const bytes = executable.serialize();
      digest = digestOf(bytes);
      makeDirectory(this.#folder);
      await writeAtomic(path, [createHash("sha256").update(bytes).digest(), bytes]);
      this.#shrink();
    } catch {}
    return digest;
  }

  #shrink(): void {
    const files = readdirSync(this.#folder)
      .map((name) => ({ path: join(this.#folder, name), ...statSync(join(this.#folder, name)) }))
      .sort((a, b) => b.mtimeMs - a.mtimeMs);
    let bytes = 0;
    for (const { path, size } of files) {
      bytes += size;
      if (bytes > mostBytes) rmSync(path, { force: true });
    }
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}
