// A real model from end to end, as its user does it by the command line: import, score, convert to CLA2, score, train on with
// the model as the teacher, score, serve and ask, export and (with --python) read the exports. Prints what each step gave.
//   npx tsx bench/real-model.ts MODEL --out runs/real --calibrate a.jsonl --train b.jsonl --data c.jsonl
// Usage: README.md.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { bytesText } from "../src/charts/quantity.ts";
import { RunDirectory } from "../src/checkpoint/run-directory.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: "string" },
    tokenizer: { type: "string" },
    calibrate: { type: "string" },
    "calibrate-tokens": { type: "string", default: "12K" },
    train: { type: "string" },
    options: { type: "string", default: "--batch 4 --context 256 --steps 100 --learning-rate 1e-4" },
    data: { type: "string" },
    window: { type: "string", default: "512" },
    threads: { type: "string", default: "2" },
    prompt: { type: "string", default: "Once upon a time" },
    python: { type: "string" },
  },
});
const [model] = positionals;
const { out, calibrate, train, data, threads } = values;
if (!model || !out || !calibrate || !train || !data) {
  throw new Error("usage: npx tsx bench/real-model.ts MODEL --out FOLDER --calibrate TEXT --train TEXT --data TEXT");
}
const main = join(import.meta.dirname, "../dist/cli/main.js");
const place = (name: string) => join(out, name);
const [imported, converted, uptrained] = [place("imported"), place("converted"), place("uptrained")];
mkdirSync(out, { recursive: true });

made(imported, "import", model, ...(values.tokenizer ? ["--tokenizer", values.tokenizer] : []));
console.log(crosslayer("inspect", imported).split("\n").slice(-9).join("\n"));
score(imported);
const fit = ["--init", "fit", "--calibrate", calibrate, "--calibrate-tokens", values["calibrate-tokens"]];
made(converted, "convert", imported, "--sharing", "2", ...fit, "--threads", threads);
score(converted);
const taught = ["--init", converted, "--teacher", imported, "--distill", "0.5", "--data", train];
made(uptrained, "train", ...taught, ...values.options.split(" "), "--validate-every", "0", "--threads", threads);
score(uptrained);
await ask();
for (const [run, name] of [[imported, "whole"] as const, [uptrained, "shared"] as const]) {
  made(place(`${name}-huggingface`), "export", run, "--to", "huggingface");
  made(place(`${name}-onnx`), "export", run, "--to", "onnx");
  if (name === "shared") made(place(`${name}-lm-engine`), "export", run, "--to", "lm-engine");
}
for (const name of readdirSync(out).filter((name) => /-(huggingface|onnx|lm-engine)$/.test(name))) {
  console.log(`${name}: ${bytesText(bytesOf(place(name)))}`);
}
if (values.python) {
  for (const [run, name] of [[imported, "whole"] as const, [uptrained, "shared"] as const]) {
    const expected = crosslayer(...["generate", run, values.prompt, "--temperature", "0", "--max-tokens", "24"]);
    if (expected.trim() === "") throw new Error(`${run} writes nothing after that prompt: give another, --prompt "…"`);
    const script = join(import.meta.dirname, "exported/read_exports.py");
    const asked = [script, place(`${name}-huggingface`), place(`${name}-onnx`), values.prompt, expected];
    const { stdout, stderr, status } = spawnSync(values.python, asked, { encoding: "utf8" });
    console.log(`${name}: ${status === 0 ? stdout.trim() : stderr.trim()}`);
  }
}

/** What a command makes at `path`, and how long it took; what is there already is not made again. */
function made(path: string, ...command: string[]): void {
  if (existsSync(path)) return;
  const begun = performance.now();
  const printed = crosslayer(...command, "--out", path);
  console.log(`${command[0]} ${((performance.now() - begun) / 1000).toFixed(1)} s: ${printed.trim().split("\n")[0]}`);
}

function score(run: string): void {
  const found = crosslayer(
    ...["eval", run, "--data", data as string, "--window", values.window, "--threads", threads, "--json"],
  );
  const { loss, tokens } = JSON.parse(found);
  console.log(`${run}: ${loss.toFixed(4)} nats per token, of ${tokens} tokens`);
}

/** Serves the trained model and asks it, as a chat if the model has a template. */
async function ask(): Promise<void> {
  const command = [main, "serve", uptrained, "--port", "0", "--log-level", "warn", "--threads", threads];
  const server = spawn(process.execPath, command, { stdio: ["ignore", "pipe", "inherit"] });
  try {
    let address: string | undefined;
    for await (const line of createInterface({ input: server.stdout })) {
      address = /http:\/\/\S+:\d+/.exec(line)?.[0];
      if (address) break;
    }
    if (!address) throw new Error("the server said no address");
    const isChat = (await (await RunDirectory.open(uptrained)).chatTemplate()) !== undefined;
    const asked = { model: "uptrained", temperature: 0, max_tokens: 24 };
    const body = isChat
      ? { ...asked, messages: [{ role: "user", content: values.prompt }] }
      : { ...asked, prompt: values.prompt };
    const headers = { "content-type": "application/json" };
    const path = isChat ? "chat/completions" : "completions";
    const answer = await fetch(`${address}/v1/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    const { choices, usage } = (await answer.json()) as Answer;
    const text = choices[0]?.message?.content ?? choices[0]?.text;
    console.log(
      `${path} ${answer.status}, ${usage.prompt_tokens} + ${usage.completion_tokens} tokens: ${JSON.stringify(text)}`,
    );
  } finally {
    server.kill();
    await once(server, "exit");
  }
}

interface Answer {
  readonly choices: readonly { readonly text?: string; readonly message?: { readonly content: string } }[];
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number };
}

function bytesOf(path: string): number {
  if (!statSync(path).isDirectory()) return statSync(path).size;
  return readdirSync(path).reduce((sum, name) => sum + bytesOf(join(path, name)), 0);
}

function crosslayer(...args: string[]): string {
  console.error(`crosslayer ${args.join(" ")}`);
  return execFileSync(process.execPath, [main, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}
