// A small study on disk: two finished runs with weights, and one under way.

import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { namedModel, RunDirectory, recipe, trainBpe } from "crosslayer";
import { writeQuestion } from "../../src/study/numbers/question.ts";
import { appendResult } from "../../src/study/numbers/result.ts";
import { lively } from "../model/tiny.ts";

const text = "fellow citizens of the senate and of the house of representatives: ";
const size = { tokens: 1000, documents: 10, bytes: 4000, words: 800 };

/** Writes it to `directory`, which it gives back. */
export async function writeStudy(directory: string): Promise<string> {
  const { json, vocab } = trainBpe([text.repeat(20)], { vocab: 290 });
  mkdirSync(join(directory, "trials"), { recursive: true });
  const contrasts = [{ model: "H16-MQA-CLA2", against: "H16-MQA" }];
  await writeQuestion(directory, { title: "Half the KV cache?", contrasts });
  for (const [i, name] of ["H16-MQA", "H16-MQA-CLA2", "H16-MQA-CLA4"].entries()) {
    const model = namedModel(name, { layers: 4, width: 64, mlpWidth: 160, vocab, context: 256 });
    const plan = recipe({ steps: 100, batch: 2, learningRate: 0.01, seed: 1 });
    const key = `000000000000000${i}`;
    const path = join(directory, "trials", `${name}-lr0.01-seed1-${key}`);
    const run = await RunDirectory.create(path, { name, model, recipe: plan, data: {} }, json);
    const rows = Array.from({ length: 40 }, (_, step) => ({ step: step + 1, loss: 5 - 0.05 * step + 0.1 * i }));
    for (const row of rows) await run.appendMetrics(row);
    if (i === 2) continue; // under way
    await run.saveModel(lively(model, i + 1));
    const loss = 3.1 + 0.1 * i;
    await appendResult(join(directory, "results.jsonl"), {
      ...{ key, name, model, seed: 1, learningRate: 0.01, steps: 40, tokens: 8000, curve: rows },
      parameters: { total: 1000 - i, nonEmbedding: 500 - i },
      kvBytesPerToken: 512 / (i + 1),
      flopsPerToken: 1e6,
      validation: { loss, perplexity: Math.exp(loss), bitsPerByte: loss / 3, wordPerplexity: Math.exp(2 * loss) },
      ...{ seconds: 10, tokensPerSecond: 800, sample: "Fellow citizens", versions: {} },
      dataset: { source: "test", vocab, train: size, validation: size },
    });
  }
  return directory;
}

/** Lets the run that is under way take a step more. */
export function trainOn(directory: string, step: number): void {
  const path = join(directory, "trials", "H16-MQA-CLA4-lr0.01-seed1-0000000000000002", "metrics.jsonl");
  appendFileSync(path, `${JSON.stringify({ step, loss: 2.5 })}\n`);
}
