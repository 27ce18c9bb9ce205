// What rounding costs: perplexity of finished runs on their held-out text, with keys, values and weights in fewer bits.
// `npx tsx bench/quantization.ts [run …]`; without runs those of runs/demo. Needs `npm run build`.

import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { RunDirectory } from "../src/checkpoint/run-directory.ts";
import { kvBytesPerToken } from "../src/model/cost.ts";

const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const trials = fileURLToPath(new URL("../runs/demo/trials", import.meta.url));
const kinds = [
  { title: "float32", kv: "float32", weights: "float32" },
  { title: "KV int8", kv: "int8", weights: "float32" },
  { title: "weights int8", kv: "float32", weights: "int8" },
  { title: "weights int4", kv: "float32", weights: "int4" },
  { title: "weights w8a8", kv: "float32", weights: "w8a8" },
  { title: "KV int8 + weights int8", kv: "int8", weights: "int8" },
  { title: "KV int8 + weights int4", kv: "int8", weights: "int4" },
  { title: "KV int8 + weights w8a8", kv: "int8", weights: "w8a8" },
];

const named = process.argv.slice(2);
if (named.length === 0 && !existsSync(trials)) {
  throw new Error(`${trials}: no runs here; npm run demo makes them, or name runs`);
}
const runs = named.length > 0 ? named : readdirSync(trials).map((name) => join(trials, name));

printRow(["model", "KV B/token float32 / int8", ...kinds.map(({ title }) => title)]);
printRow(["---", ...[0, ...kinds].map(() => "---:")]);
for (const path of runs) {
  const run = await RunDirectory.open(path);
  if (!run.finished) continue;
  const { name, model } = run.config;
  const bytes = `${kvBytesPerToken(model, "float32")} / ${kvBytesPerToken(model, "int8")}`;
  const found: number[] = [];
  for (const { kv, weights } of kinds) found.push(await perplexity(path, kv, weights));
  const [exact] = found as [number];
  const cells = found.map((x, i) => (i === 0 ? x.toFixed(3) : `${x.toFixed(3)} (${percent(x / exact - 1)})`));
  printRow([name, bytes, ...cells]);
}

async function perplexity(run: string, kv: string, weights: string): Promise<number> {
  const args = [main, "eval", run, "--kv-dtype", kv, "--weights", weights, "--json"];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return (JSON.parse(stdout) as { perplexity: number }).perplexity;
}

function percent(part: number): string {
  return `${part < 0 ? "−" : "+"}${Math.abs(100 * part).toFixed(2)}%`;
}

function printRow(cells: readonly string[]): void {
  console.log(`| ${cells.join(" | ")} |`);
}
