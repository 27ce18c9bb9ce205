// How long a new user waits for the demo's first training step: tokenizer, shards, compilation and all. Twice: from
// nothing, and with the tokenizer and the shards that the first time left. Needs `npm run build`.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "crosslayer-first-step-"));
const trials = join(directory, "trials");

for (const name of ["from nothing", "with tokenizer and shards kept"]) {
  rmSync(trials, { recursive: true, force: true });
  const start = performance.now();
  const child = spawn(process.execPath, [main, "study", "--preset", "demo", "--out", directory], { stdio: "ignore" });
  while (!hasStep()) await new Promise((resolve) => setTimeout(resolve, 20));
  console.log(`${name}: ${((performance.now() - start) / 1000).toFixed(1)} s to the first step's metrics`);
  child.kill("SIGKILL");
  await new Promise((resolve) => child.once("close", resolve));
}
rmSync(directory, { recursive: true });

function hasStep(): boolean {
  if (!existsSync(trials)) return false;
  return readdirSync(trials).some((trial) => {
    const path = join(trials, trial, "metrics.jsonl");
    return existsSync(path) && statSync(path).size > 0;
  });
}
