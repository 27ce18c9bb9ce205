// What `train --resume` takes up and what it refuses: options, config, tokenizer and text are those that the run was begun
// with, or are named with both values.

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { begunRun, resumedRun, type TrainFlags } from "../../src/cli/train-run.ts";
import { InputError } from "../../src/error.ts";
import { encodeSealed } from "../../src/files/sealed-json.ts";
import type { Device, Traits } from "../../src/runtime/device.ts";
import { openDevice } from "../../src/runtime/open-device.ts";
import { prepareText } from "../../src/text/prepared.ts";
import { openSource } from "../../src/text/source.ts";
import { scratch } from "../files/scratch.ts";

const said = vi.spyOn(console, "error").mockImplementation(() => {});
afterEach(() => said.mockClear());

const lines = Array.from(
  { length: 60 },
  (_, i) => `line ${10 + i} of a small made up text, ${"lamp river ".repeat(i % 5)}`,
);
const jsonl = (texts: readonly string[]) =>
  texts.map((text) => `${JSON.stringify({ text, other: `${text} too` })}\n`).join("");

/** A run that has a checkpoint, and the options that it was begun with. */
async function begun(more: Partial<TrainFlags> = {}): Promise<TrainFlags & { data: string }> {
  const directory = scratch();
  const data = join(directory, "text.jsonl");
  writeFileSync(data, jsonl(lines));
  const flags = { data, out: join(directory, "run"), depth: 2, vocab: 280, context: 16, steps: 8, batch: 4, ...more };
  await using device = await openDevice("host");
  const { run, corpus } = await begunRun(flags, device);
  corpus.data[Symbol.dispose]();
  await run.saveCheckpoint({}, { step: 1, position: 4 });
  return flags;
}

async function resume(flags: TrainFlags) {
  await using device = await openDevice("host");
  const { corpus, resolved } = await resumedRun({ ...flags, resume: true }, device);
  corpus.data[Symbol.dispose]();
  return resolved;
}

describe("a run is taken up", () => {
  test("with nothing beside --resume, without a word of warning", async () => {
    const { out } = await begun();
    said.mockClear();
    await resume({ out });
    expect(said.mock.calls.flat().join()).not.toContain("warning");
  });

  test("with all that it was begun with said again", async () => {
    const { threads: _, ...flags } = await begun({
      field: "text",
      validationFraction: 0.1,
      learningRate: 0.01,
      seed: 3,
    });
    await resume({ ...flags, tokenizer: join(flags.out, "tokenizer.json"), tokens: 8 * 4 * 16, precision: "float32" });
  });

  test("on prepared text, by its directory, wherever that lies now; not with other prepared text", async () => {
    const directory = scratch();
    writeFileSync(join(directory, "text.jsonl"), jsonl(lines));
    const [shards, moved, other] = ["shards", "moved", "other"].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    const asked = { source: openSource(join(directory, "text.jsonl")), fraction: 0.15, vocab: 280 };
    await prepareText({ ...asked, directory: shards });
    await prepareText({ ...asked, fraction: 0.2, directory: other });
    const { out } = await begun({ data: shards });
    await resume({ out });
    renameSync(shards, moved);
    await expect(resume({ out })).rejects.toThrow(/does not lie there; name its directory by --data/);
    await resume({ out, data: moved });
    await expect(resume({ out, data: other })).rejects.toThrow(/the run has data .*shards", found .*other"/);
  });

  test("with another micro-batch, saying that bits differ; and is saved and validated as asked", async () => {
    const { out } = await begun({ microBatch: 4 });
    const { microBatch, checkpointEvery, validateEvery } = await resume({
      out,
      microBatch: 2,
      checkpointEvery: 7,
      validateEvery: 3,
    });
    expect([microBatch, checkpointEvery, validateEvery]).toEqual([2, 7, 3]);
    expect(said.mock.calls.flat().join()).toMatch(
      /--micro-batch: the run was begun with 4, goes on with 2; .*bits differ/,
    );
  });
});

describe("a run is not taken up", () => {
  const options: [Partial<TrainFlags>, RegExp][] = [
    [{ context: 32 }, /context 16, found 32/],
    [{ vocab: 300 }, /vocab 280, found 300/],
    [{ tokens: 1024 }, /tokens 512, found 1024/],
    [{ steps: 9 }, /steps 8, found 9/],
    [{ field: "other" }, /field "text", found "other"/],
    [{ validationFraction: 0.5 }, /validation fraction 0\.05, found 0\.5/],
    [{ learningRate: 0.5 }, /learning rate 0\.002, found 0\.5/],
    [{ seed: 5 }, /seed 0, found 5/],
    [{ batch: 8 }, /batch 4, found 8/],
    [{ depth: 3 }, /model .*"layers":2.* found .*"layers":3/],
    [{ data: "sotu" }, /data ".*text\.jsonl", found "sotu"/],
    [{ microBatch: 3 }, /micro-batches of 3 do not divide a batch of 4/],
    [{ tokenizer: "test/checkpoint/first-house/tokenizer.json" }, /tokenizer .*, found test\/.*, which is another/],
  ];
  test.each(options)("with other options: %j", async (flags, message) => {
    const { out } = await begun();
    const refused = resume({ out, ...flags });
    await expect(refused).rejects.toThrow(InputError);
    await expect(refused).rejects.toThrow(message);
  });

  test.each([
    ["documents in another order", [...lines.slice(1), lines[0] as string]],
    ["other words of the same length", lines.map((line) => line.replace("line 33", "line 44"))],
    ["a document twice", [...lines.slice(0, -1), lines[0] as string]],
  ])("with other text: %s", async (_, texts) => {
    const { out, data } = await begun();
    writeFileSync(data, jsonl(texts));
    await expect(resume({ out })).rejects.toThrow(/text\.jsonl: (is not the text|had \d+ tokens)/);
  });

  test.each([
    ["learningRate", 0.002, 0.02],
    ["warmup", 0.05, 0.5],
    ["beta1", 0.9, 0.5],
    ["seed", 0, 1],
    ["batch", 4, 2],
    ["normEpsilon", 0.00001, 0.001],
    ["context", 16, 8],
    ["validationFraction", 0.05, 0.06],
  ])("with another config: %s", async (key, was, is) => {
    const { out } = await begun();
    const path = join(out, "config.json");
    const text = readFileSync(path, "utf8");
    const changed = text.replace(`"${key}": ${was}`, `"${key}": ${is}`);
    expect(changed).not.toBe(text);
    writeFileSync(path, changed);
    await expect(resume({ out })).rejects.toThrow(new RegExp(`${key} ${was}, config\\.json has ${is};`));
  });

  test("with two ids of the tokenizer swapped", async () => {
    const { out } = await begun();
    const path = join(out, "tokenizer.json");
    const json = JSON.parse(readFileSync(path, "utf8"));
    const [one, two] = [json.model.vocab.a, json.model.vocab.b];
    Object.assign(json.model.vocab, { a: two, b: one });
    writeFileSync(path, JSON.stringify(json));
    await expect(resume({ out })).rejects.toThrow(/tokenizer\.json: is not the tokenizer/);
  });
});

test("a micro-batch that no memory holds is refused before anything is written", async () => {
  const flags = { data: "sotu", out: join(scratch(), "run"), depth: 32, context: 1 << 17, batch: 64, microBatch: 64 };
  await using device = await openDevice("host");
  const refused = begunRun(flags, device);
  await expect(refused).rejects.toThrow(
    /micro-batches of 64 sequences .* needs about [\d.]+ GiB, .* try a smaller --micro-batch/,
  );
  expect(() => readFileSync(flags.out)).toThrow(/ENOENT/);
});

describe("a card's step", () => {
  test("is compiled once, for the vocabulary of the tokenizer that was given", async () => {
    const directory = scratch();
    const data = join(directory, "text.jsonl");
    writeFileSync(data, jsonl(lines));
    await using host = await openDevice("host");
    const compiled: unknown[] = [];
    const traits: Traits = { ...host.traits, memory: "device" };
    const card: Device = {
      ...{ name: "card", kind: "card", runtime: "none", traits },
      freeBytes: () => 1e9,
      put: host.put.bind(host),
      clear: host.clear.bind(host),
      compile: (graph) => {
        compiled.push(graph.outputs.embed?.shape);
        return host.compile(graph);
      },
      [Symbol.asyncDispose]: async () => {},
    };
    const flags = { depth: 2, context: 16, steps: 8, batch: 4, data };
    const first = await begunRun({ ...flags, vocab: 280, out: join(directory, "a") }, card);
    first.corpus.data[Symbol.dispose]();
    expect(compiled.splice(0)).toEqual([[280, 64]]);
    const again = { ...flags, tokenizer: join(directory, "a", "tokenizer.json"), out: join(directory, "b") };
    (await begunRun(again, card)).corpus.data[Symbol.dispose]();
    expect(compiled).toEqual([[280, 64]]);
  });
});

/** The paths of all values in an object that are none themselves. */
function leaves(value: object, before: readonly string[] = []): string[][] {
  return Object.entries(value).flatMap(([key, inner]) => {
    const path = [...before, key];
    return typeof inner === "object" && !Array.isArray(inner) && inner !== null ? leaves(inner, path) : [path];
  });
}

/** Another value of the same kind. */
function other(value: unknown): unknown {
  if (typeof value === "number") return Number.isInteger(value) ? 2 * value + 2 : 1.5 * value;
  if (typeof value === "boolean") return !value;
  return Array.isArray(value)
    ? value.map((_, i) => i)
    : `${value}`.replace(/^./, (first) => (first === "a" ? "b" : "a"));
}

test("each field of config.json, changed alone and sealed anew, is refused by who goes on", async () => {
  const { out } = await begun({ validationFraction: 0.1, learningRate: 0.01, seed: 3 });
  const path = join(out, "config.json");
  const whole = readFileSync(path, "utf8");
  const fields = leaves(JSON.parse(whole)).filter(([field]) => field !== "checksum");
  expect(fields.length).toBeGreaterThan(30);
  for (const field of fields) {
    const { checksum: _, ...config } = JSON.parse(whole);
    const place = field.slice(0, -1).reduce((object, key) => object[key], config);
    const key = field.at(-1) as string;
    place[key] = other(place[key]);
    writeFileSync(path, encodeSealed(config));
    const found = await resume({ out }).then(
      () => "was taken",
      (error) => error,
    );
    expect(found, field.join(".")).toBeInstanceOf(InputError);
  }
});
