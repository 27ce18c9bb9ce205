// What conversions lose and what training gives back: a run is converted by the command line in every way that is asked,
// scored on held-out text, and trained on with itself as the teacher. What --out has already is not done again.
//   npx tsx bench/conversion.ts runs/x --out runs/conversions --target="--sharing 2" --target="--search 0.8"
// Usage: README.md.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { markdownOf } from "../src/charts/markdown.ts";
import { RunDirectory } from "../src/checkpoint/run-directory.ts";
import type { ModelConfig } from "../src/model/config.ts";
import { kvBytesPerToken } from "../src/model/cost.ts";
import { sharingName } from "../src/model/sharing.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: "string" },
    target: { type: "string", multiple: true, default: ["--sharing 2"] },
    inits: { type: "string", default: "owner,mean,fit" },
    data: { type: "string" },
    calibrate: { type: "string" },
    "calibrate-tokens": { type: "string" },
    window: { type: "string" },
    uptrain: { type: "string" },
  },
});
const [from] = positionals;
if (!from || !values.out) throw new Error("usage: npx tsx bench/conversion.ts RUN --out FOLDER [--target=OPTIONS]…");
const out = values.out;
const inits = values.inits.split(",");
mkdirSync(out, { recursive: true });

const model = (await RunDirectory.open(from)).config.model;
const before = lossOf(from);
console.log(`${from}: ${before.tokens} tokens held out, loss ${before.loss.toFixed(4)} nats per token`);
const conversions: string[][] = [];
const uptrained: string[][] = [];
for (const target of values.target) {
  const losses: string[] = [];
  let converted: ModelConfig | undefined;
  for (const init of inits) {
    const path = await convert(target, init);
    converted = (await RunDirectory.open(path)).config.model;
    const { loss } = lossOf(path);
    losses.push(loss.toFixed(4));
    if (!values.uptrain) continue;
    const rows = ["", `--teacher ${from}`].map((teacher) => lossOf(uptrain(path, teacher)).loss.toFixed(4));
    uptrained.push([named(converted), init, loss.toFixed(4), ...rows]);
  }
  conversions.push([target, named(converted as ModelConfig), bytesText(converted as ModelConfig), ...losses]);
}
console.log(`\n${table(["convert", "sharing", "KV bytes", ...inits], conversions)}`);
if (values.uptrain) {
  const heads = ["sharing", "begins as", "converted", "uptrained", "uptrained, distilled"];
  console.log(`\ntrain --init … ${values.uptrain}\n\n${table(heads, uptrained)}`);
}

/** Two columns of text, then numbers. */
function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  return markdownOf(
    heads,
    rows,
    heads.map((_, i) => (i < 2 ? "left" : "right")),
  );
}

/** The run at `--out` that a conversion makes. */
async function convert(target: string, init: string): Promise<string> {
  const path = join(out, fileName(`${target} ${init}`));
  if (RunDirectory.exists(path)) return path;
  const text = values.calibrate ? ["--calibrate", values.calibrate] : [];
  const tokens = values["calibrate-tokens"] ? ["--calibrate-tokens", values["calibrate-tokens"]] : [];
  crosslayer("convert", from as string, ...words(target), "--init", init, ...text, ...tokens, "--out", path);
  return path;
}

/** The run that training on makes of it. */
function uptrain(path: string, teacher: string): string {
  const to = `${path}-${teacher ? "distilled" : "uptrained"}`;
  if (existsSync(join(to, "model.safetensors"))) return to;
  const resume = RunDirectory.exists(to)
    ? ["--resume"]
    : ["--init", path, ...words(teacher), ...words(values.uptrain ?? "")];
  crosslayer("train", ...resume, "--out", to);
  return to;
}

/** What a run's loss is on the held-out text, measured once. */
function lossOf(run: string): { loss: number; tokens: number } {
  const file = join(out, `${fileName(`${run} ${values.window ?? ""}`)}.loss.json`);
  if (!existsSync(file)) {
    const text = values.data ? ["--data", values.data] : [];
    const window = values.window ? ["--window", values.window] : [];
    writeFileSync(file, crosslayer("eval", run, ...text, ...window, "--json"));
  }
  return JSON.parse(readFileSync(file, "utf8"));
}

function crosslayer(...args: string[]): string {
  console.error(`crosslayer ${args.join(" ")}`);
  const main = join(import.meta.dirname, "../dist/cli/main.js");
  return execFileSync(process.execPath, [main, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

function bytesText(config: ModelConfig): string {
  return `${((100 * kvBytesPerToken(config, "float32")) / kvBytesPerToken(model, "float32")).toFixed(1)}%`;
}

function named({ sharing, kvHeads }: ModelConfig): string {
  const heads = kvHeads === model.kvHeads ? "" : `${kvHeads} of ${model.kvHeads} KV heads`;
  return [sharingName(sharing), heads].filter(Boolean).join(", ") || "as it is";
}

function words(text: string): string[] {
  return text.split(" ").filter(Boolean);
}

function fileName(text: string): string {
  return text.replace(/[^\w.]+/g, "-").replace(/^-/, "");
}
