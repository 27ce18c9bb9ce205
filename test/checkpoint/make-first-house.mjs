// Made test/checkpoint/first-house with version 0.1.0 as of commit 34ea6da: a run that is interrupted at its tenth step, and,
// in went-on.json, what the same version did when it went on with a copy of it. Usage, in a checkout of that commit after
// `npm ci`: node make-first-house.mjs, which writes ./run; then `train --out <copy> --resume` and its metrics.

import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const sizes = { layers: 2, width: 16, heads: 2, headDim: 8, mlpWidth: 32, kvHeads: 1, sharing: [0, 0] };
writeFileSync("model.json", JSON.stringify(sizes));
const options =
  "--data sotu --config model.json --steps 300 --batch 4 --micro-batch 2 --context 32 --vocab 300 --threads 2 " +
  "--checkpoint-every 5 --validate-every 150 --learning-rate 0.01 --out run";
const child = spawn(process.execPath, ["dist/cli/main.js", "train", ...options.split(" ")], { stdio: "inherit" });
const timer = setInterval(() => {
  if (!existsSync("run/metrics.jsonl") || readFileSync("run/metrics.jsonl", "utf8").split("\n").length <= 10) return;
  child.kill("SIGINT");
  clearInterval(timer);
}, 5);
