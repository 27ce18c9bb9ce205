// A process on a disk of 256 KiB, given as its argument: saves, fills the disk, saves again and tells what happened.

import { appendFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { RunDirectory } from "../../src/checkpoint/run-directory.ts";
import { modelConfig } from "../../src/model/config.ts";
import { initialize } from "../../src/model/parameters.ts";
import { Random } from "../../src/tensor/random.ts";

const path = process.argv[2] as string;
const model = modelConfig({ layers: 2, width: 16, heads: 2, headDim: 8, mlpWidth: 16, vocab: 200, context: 16 });
const run = await RunDirectory.create(path, { name: "full", model, recipe: {}, data: {} }, {});
const tensors = initialize(model, new Random(1));
const problem = (promise: Promise<void>) => promise.then(() => "none", String);

await run.saveCheckpoint(tensors, { step: 1 });
await run.appendMetrics({ step: 1 });
const ballast = join(path, "ballast");
fill(4096);
const checkpoint = await problem(run.saveCheckpoint(tensors, { step: 2 }));
const metrics = await problem(run.appendMetrics({ step: 2, text: "x".repeat(100_000) }));
const files = readdirSync(path).sort();
const loaded = await run.loadCheckpoint();
const rows = await run.metrics();
rmSync(ballast);
await run.saveCheckpoint(tensors, { step: 3 }); // with space again it goes on
console.log(JSON.stringify({ checkpoint, metrics, files, step: loaded?.state.step, rows }));

function fill(bytes: number): void {
  try {
    for (;;) appendFileSync(ballast, new Uint8Array(bytes));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  }
}
