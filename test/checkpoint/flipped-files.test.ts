// Every file that is kept for later: 200 bits are flipped in each, one at a time, and each is noticed or changes nothing.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { RunDirectory } from "../../src/checkpoint/run-directory.ts";
import { InputError } from "../../src/error.ts";
import { namedModel } from "../../src/model/name.ts";
import { appendResult, readResults } from "../../src/study/numbers/result.ts";
import { Random } from "../../src/tensor/random.ts";
import { trainBpe } from "../../src/text/bpe-training.ts";
import { openCorpus } from "../../src/text/corpus.ts";
import { prepareText } from "../../src/text/prepared.ts";
import { openSource } from "../../src/text/source.ts";
import { scratch } from "../files/scratch.ts";
import { lively } from "../model/tiny.ts";
import { madeResult } from "../study/numbers/made-results.ts";

const flips = 200;

/** Flips bits of the file at `path`, one at a time, and holds what is read to what was read of the whole file. */
async function flipped(path: string, read: () => Promise<unknown>): Promise<void> {
  const whole = readFileSync(path);
  const before = await read();
  const random = new Random(7);
  for (let i = 0; i < flips; i++) {
    const [at, bit] = [random.below(whole.length), random.below(8)];
    const bytes = Buffer.from(whole);
    bytes[at]! ^= 1 << bit;
    writeFileSync(path, bytes);
    const found = await read().catch((error) => error);
    if (found instanceof InputError) continue;
    expect(found, `${path}, bit ${bit} of byte ${at}`).toEqual(before);
  }
  writeFileSync(path, whole);
}

test.each([
  "config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "chat_template.jinja",
  "metrics.jsonl",
  "checkpoint.safetensors",
  "model.safetensors",
])("a flipped bit in a run's %s", async (name) => {
  const path = join(scratch(), "run");
  const { json, vocab } = trainBpe(["we the people of the united states ".repeat(30)], { vocab: 262 });
  const model = namedModel("H16-MQA-CLA2", { layers: 2, width: 16, mlpWidth: 16, vocab, context: 32 });
  const data = { source: "text.jsonl", validationFraction: 0.05, tokens: 4000, identity: "ab12" };
  const run = await RunDirectory.create(path, { name: "small", model, recipe: { steps: 9 }, data }, json, {
    texts: { bos_token: "<b>", end_token_ids: [3, 4] },
    chatTemplate: "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}",
  });
  for (let step = 0; step < 8; step++) await run.appendMetrics({ step, loss: 5 / (step + 1), seconds: 0.25 });
  await run.saveCheckpoint(lively(model, 1), { step: 4 });
  await run.saveModel(lively(model, 2));
  await flipped(join(path, name), async () => {
    const opened = await RunDirectory.open(path);
    const [metrics, weights] = [await opened.metrics(), await opened.loadModel()];
    const [checkpoint, template] = [await opened.loadCheckpoint(), await opened.chatTemplate()];
    const { config, tokenizer, texts } = opened;
    return { config, tokenizer, texts, metrics, weights, checkpoint, template };
  });
});

const texts = Array.from(
  { length: 60 },
  (_, i) => `document ${i % 9} of the ${["people", "state", "union"][i % 3]} ${i}`,
);

function source(directory: string): string {
  const path = join(directory, "text.jsonl");
  writeFileSync(path, texts.map((text) => `${JSON.stringify({ text })}\n`).join(""));
  return path;
}

/** All of a corpus. */
async function whole(options: Parameters<typeof openCorpus>[0]): Promise<unknown> {
  const { data, tokenizer, ...about } = await openCorpus(options);
  using _data = data;
  const sides = [data.train, data.validation, ...(data.test ? [data.test] : [])];
  return { about, json: tokenizer.json, tokens: sides.map((shard) => shard.read(0, shard.tokens)) };
}

test.each(["data.json", "tokenizer.json", "train.shard", "validation.shard", "test.shard"])(
  "a flipped bit in %s of prepared text",
  async (name) => {
    const directory = scratch();
    const out = join(directory, "out");
    await prepareText({ source: openSource(source(directory)), fraction: 0.15, vocab: 262, directory: out });
    await flipped(join(out, name), () => whole({ source: out, vocab: 1, directory }));
  },
);

test.each(["tokenizer.json", "train.shard"])("a flipped bit in a kept %s of raw text", async (name) => {
  const directory = scratch();
  const options = {
    source: source(directory),
    vocab: 262,
    validationFraction: 0.15,
    directory: join(directory, "data"),
  };
  await whole(options);
  const file = readdirSync(options.directory).find((found) => found.endsWith(name)) as string;
  await flipped(join(options.directory, file), () => whole(options));
});

test("a flipped bit in a study's results", async () => {
  const path = join(scratch(), "results.jsonl");
  for (const seed of [1, 2, 3]) await appendResult(path, madeResult({ name: "H64-MQA", loss: 3 + seed, seed }));
  await flipped(path, () => readResults(path));
});
