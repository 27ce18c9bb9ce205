import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { InputError } from "../../../src/error.ts";
import { appendResult, readResults } from "../../../src/study/numbers/result.ts";
import { madeResult } from "./made-results.ts";

const [first, second] = [
  madeResult({ name: "H64-MQA", loss: 4.3, sample: 'naïve — "日本"\nline' }),
  madeResult({ name: "H64-MQA-CLA2", loss: 4.35 }),
];
let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "results-"));
  path = join(directory, "results.jsonl");
});
afterEach(() => rm(directory, { recursive: true }));

test("what is appended is read again, model config and all", async () => {
  await appendResult(path, first);
  await appendResult(path, second);
  expect(await readResults(path)).toEqual([first, second]);
});

test("no file means no results", async () => {
  expect(await readResults(join(directory, "none.jsonl"))).toEqual([]);
});

test("losses of a run that diverged come back as NaN", async () => {
  const validation = {
    loss: Number.NaN,
    perplexity: Number.POSITIVE_INFINITY,
    bitsPerByte: Number.NaN,
    wordPerplexity: 1,
  };
  await appendResult(path, { ...first, validation, tokensPerSecond: Number.NaN });
  const [read] = await readResults(path);
  expect(read?.validation).toEqual({ ...validation, perplexity: Number.NaN });
  expect(read?.tokensPerSecond).toBeNaN();
});

test("a line cut anywhere is left out and told, and the next append heals the file", async () => {
  await appendResult(path, first);
  const whole = (await readFile(path)).length;
  await appendResult(path, second);
  const full = await readFile(path);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: whole + 1, max: full.length - 2 }), async (length) => {
      await writeFile(path, full);
      await truncate(path, length);
      const told: string[] = [];
      expect(await readResults(path, (message) => told.push(message))).toEqual([first]);
      expect(told).toEqual([expect.stringContaining("line 2 is cut short")]);
      await appendResult(path, second);
      expect(await readFile(path)).toEqual(full);
    }),
    { numRuns: 30, examples: [[full.length - 2], [whole + 1]] },
  );
});

test("a last line that lacks only its end of line is kept", async () => {
  await writeFile(path, JSON.stringify(first));
  expect(await readResults(path)).toEqual([first]);
  await appendResult(path, second);
  expect(await readResults(path)).toEqual([first, second]);
});

test.each([
  ["not JSON", "{nope}", /line 2 is not JSON; found "\{nope\}"/],
  ["an empty line", "", /line 2 is not JSON/],
  ["another type", '{"key":7}', /line 2 is not a result: key:/],
  ["a missing field", JSON.stringify({ ...first, seed: undefined }), /line 2 is not a result: seed/],
  ["an impossible model", JSON.stringify({ ...first, model: { ...first.model, kvHeads: 3 } }), /line 2 .*3 KV heads/],
  ["no model", JSON.stringify({ ...first, model: null }), /line 2 is not a result: model/],
  ["bytes of nothing", JSON.stringify({ ...first, kvBytesPerToken: 0 }), /kvBytesPerToken/],
])("a complete line that is %s is an error that names it", async (_, line, message) => {
  await appendResult(path, first);
  await appendFile(path, `${line}\n`);
  await appendResult(path, second);
  const read = readResults(path);
  await expect(read).rejects.toThrow(InputError);
  await expect(read).rejects.toThrow(message);
});

test("a path that cannot be read or written is the caller's mistake", async () => {
  await expect(readResults(directory)).rejects.toThrow(InputError);
  await expect(appendResult(directory, first)).rejects.toThrow(InputError);
  await expect(appendResult(join(directory, "absent", "x.jsonl"), first)).rejects.toThrow(/cannot write/);
});
