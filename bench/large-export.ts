// A model of more than 2 GiB as an ONNX decoder: how long the export takes, how much memory at its peak, and that a plain
// session in another process computes what the full forward does.
//
//   npx tsx bench/large-export.ts [folder]

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RunDirectory } from "../src/checkpoint/run-directory.ts";
import { exportOnnx } from "../src/export/export-onnx.ts";
import { modelConfig } from "../src/model/config.ts";
import { initialize } from "../src/model/parameters.ts";
import { share } from "../src/model/sharing.ts";
import { Random } from "../src/tensor/random.ts";
import { FullForward } from "../test/engine/full-forward.ts";
import { tokenizer } from "../test/export/runs.ts";

const folder = mkdtempSync(join(process.argv[2] ?? tmpdir(), "large-export-"));
const peak = () => `${(process.resourceUsage().maxRSS / 2 ** 20).toFixed(2)} GiB at the peak`;
try {
  const sizes = {
    layers: 12,
    width: 2048,
    heads: 16,
    kvHeads: 1,
    headDim: 128,
    mlpWidth: 5472,
    vocab: 32768,
    context: 256,
  };
  const model = modelConfig({ ...sizes, sharing: share(12, 2) });
  const run = await RunDirectory.create(
    join(folder, "run"),
    { name: "large", model, recipe: null, data: {} },
    tokenizer.json,
  );
  const weights = initialize(model, new Random(1));
  await run.saveModel(weights);
  console.log(
    `a run of ${(statSync(join(folder, "run", "model.safetensors")).size / 2 ** 30).toFixed(2)} GiB; ${peak()}`,
  );

  const started = performance.now();
  const { file } = await exportOnnx(run, join(folder, "out"));
  console.log(`exported in ${((performance.now() - started) / 1000).toFixed(1)} s; ${peak()}`);
  for (const name of readdirSync(join(folder, "out", "onnx"))) {
    console.log(`  ${name} ${(statSync(join(folder, "out", "onnx", name)).size / 2 ** 20).toFixed(1)} MiB`);
  }
  const tokens = [5, 17, 300, 7, 42, 11, 9, 250];
  const job = { model: join(folder, "out", file), external: [], tokens, pieces: [4, 1, 3], count: 4 };
  writeFileSync(join(folder, "jobs.json"), JSON.stringify([job]));
  const script = new URL("../test/export/plain-session.mjs", import.meta.url).pathname;
  const { stdout, stderr } = spawnSync(process.execPath, [script, "onnxruntime-node", join(folder, "jobs.json")], {
    ...{ encoding: "utf8", maxBuffer: 2 ** 28 },
  });
  if (!stdout) throw new Error(stderr);
  const [found] = stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
  using full = await FullForward.create(model, weights, { length: 12 });
  const expected = ((await full.run(tokens)).logits as Float32Array[]).flatMap((row) => [...row]);
  const off = expected.reduce((most, x, i) => Math.max(most, Math.abs(x - found.logits[i])), 0);
  console.log(
    `logits off by ${off.toExponential(1)} of ${expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0).toFixed(1)}`,
  );
  console.log(`the same text: ${(await full.greedy(tokens, 4)).tokens.join() === found.written.join()}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
