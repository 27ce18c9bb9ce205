// The built command, run as a user runs it.

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** What a command printed, and how it ended. */
export interface Outcome {
  status: number | null;
  out: string;
  err: string;
}

/** Starts `crosslayer` with `args`; `started` is given the process. */
export function crosslayer(args: string[], started: (child: ChildProcess) => void = () => {}): Promise<Outcome> {
  return node([main, ...args], started);
}

/** Children that have not ended: none outlives the tests, whatever becomes of the one that started it. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts Node with `args`. */
export function node(args: string[], started: (child: ChildProcess) => void = () => {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { env: { ...process.env, NO_COLOR: "1" } });
    running.add(child);
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk) => {
      out += chunk;
    });
    child.stderr.on("data", (chunk) => {
      err += chunk;
    });
    child.on("error", reject);
    child.on("close", (status) => {
      running.delete(child);
      resolve({ status, out, err });
    });
    started(child);
  });
}
