// Continues the run in the directory of its argument for ever: every step fills all tensors with the step's number,
// writes a row and a checkpoint, and tells on standard output what has begun and what is done. Made to be killed.

import { writeSync } from "node:fs";
import { RunDirectory } from "../../src/checkpoint/run-directory.ts";
import { parameters } from "../../src/model/parameters.ts";
import { zeros } from "../../src/tensor/tensor.ts";

const run = await RunDirectory.open(process.argv[2] as string);
run.lock(); // never released: whoever comes next takes over from the dead
const checkpoint = await run.loadCheckpoint();
const start = Number(checkpoint?.state.step ?? 0);
await run.truncateMetrics(start);
const tensors = Object.fromEntries(
  parameters(run.config.model).flatMap(({ name, shape }) =>
    ["", "optimizer.m.", "optimizer.v."].map((prefix) => [`${prefix}${name}`, zeros("float32", shape)]),
  ),
);
for (let step = start + 1; ; step++) {
  for (const { data } of Object.values(tensors)) data.fill(step as never);
  writeSync(1, `begun ${step}\n`);
  await run.appendMetrics({ step });
  await run.saveCheckpoint(tensors, { step, position: step * 8 });
  writeSync(1, `done ${step}\n`);
}
