// Scratch directories that go away with the test, and scripts of the sources that plain Node can run.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { onTestFinished } from "vitest";

/** A new directory that is removed when the running test is over. */
export function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), "crosslayer-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Bundles `entry` (a path from this directory) to a script in `directory`; returns the script's path. */
export async function bundle(entry: string, directory: string): Promise<string> {
  const outfile = join(directory, basename(entry).replace(/\.ts$/, ".mjs"));
  const options = { bundle: true, format: "esm", platform: "node", target: "node20", logLevel: "error" } as const;
  await build({ entryPoints: [join(import.meta.dirname, entry)], outfile, ...options });
  return outfile;
}

/** Runs a command to its end; everything it printed. */
export async function output(command: string, args: string[]): Promise<{ code: number | null; text: string }> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  child.stdout.on("data", (chunk) => (text += chunk));
  child.stderr.on("data", (chunk) => (text += chunk));
  const code = await new Promise<number | null>((resolve) => {
    child.on("close", resolve);
    child.on("error", () => resolve(null));
  });
  return { code, text };
}
