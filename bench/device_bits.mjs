// Whether training on a card gives the same bits in two processes, with the same compiled program and with one compiled
// anew, and what XLA's deterministic operations cost. A line of JSON a process. Needs `npm run build`.
// Usage: node bench/device_bits.mjs [--device cuda] [--size 26m] [--steps 20] [--crosslayer "node bench/device_step.mjs"]

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values: flags } = parseArgs({
  options: {
    device: { type: "string", default: "cuda" },
    size: { type: "string", default: "26m" },
    steps: { type: "string", default: "20" },
    precision: { type: "string", default: "bfloat16" },
    crosslayer: {
      type: "string",
      default: `${process.execPath} ${fileURLToPath(new URL("device_step.mjs", import.meta.url))}`,
    },
  },
});
const [command, ...first] = flags.crosslayer.split(" ");
const asked = ["device", "size", "steps", "precision"].flatMap((name) => [`--${name}`, flags[name]]);
const folder = mkdtempSync(join(tmpdir(), "device-bits-"));

for (const [operations, xla] of [
  ["as XLA likes", ""],
  ["deterministic", "--xla_gpu_deterministic_ops=true"],
]) {
  const run = (program, cache) => {
    const environment = {
      ...process.env,
      CROSSLAYER_CACHE: join(folder, operations, cache),
      XLA_FLAGS: [process.env.XLA_FLAGS, xla].filter(Boolean).join(" "),
    };
    const { stdout, stderr } = spawnSync(command, [...first, ...asked, "--hash"], {
      env: environment,
      encoding: "utf8",
    });
    if (stdout === "") {
      console.log(JSON.stringify({ operations, program, failed: stderr.trim().split("\n").slice(-4).join("\n") }));
      return undefined;
    }
    const { state, program: digest, tokensPerSecond, msPerStep, firstStepSeconds } = JSON.parse(stdout);
    const figures = { state, digest, tokensPerSecond, msPerStep, firstStepSeconds };
    console.log(JSON.stringify({ operations, program, ...figures }));
    return state;
  };
  const states = [run("compiled", "a"), run("the same", "a"), run("the same", "a"), run("compiled anew", "b")];
  if (states.includes(undefined)) continue;
  const [one, two, three, other] = states;
  console.log(
    `${operations}: the same program ${one === two && two === three ? "gives the same bits" : "gives other bits"}`,
  );
  console.log(`${operations}: compiled anew it ${one === other ? "gives the same bits" : "gives other bits"}`);
}
rmSync(folder, { recursive: true });
