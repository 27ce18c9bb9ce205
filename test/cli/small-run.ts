// A finished run of a tiny model, as a directory.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { RunDirectory } from "../../src/checkpoint/run-directory.ts";
import { namedModel } from "../../src/model/name.ts";
import { trainBpe } from "../../src/text/bpe-training.ts";
import { lively } from "../model/tiny.ts";

/** Writes the run, but for one of its files if asked. */
export async function smallRun(directory: string, { without }: { without?: string } = {}): Promise<void> {
  const { json, vocab } = trainBpe(["we the people of the united states ".repeat(30)], { vocab: 280 });
  const model = namedModel("H16-MQA-CLA2", { layers: 2, width: 32, mlpWidth: 64, vocab, context: 64 });
  const run = await RunDirectory.create(directory, { name: "small", model, recipe: {}, data: {} }, json);
  await run.saveModel(lively(model, 2));
  if (without !== undefined) rmSync(join(directory, without), { force: true });
}
