import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { lockDirectory } from "../../../src/files/lock.ts";
import { ownMark, parseMark } from "../../../src/files/process-mark.ts";
import { appendResult, type Result, readResults } from "../../../src/study/numbers/result.ts";
import { resultsCsv } from "../../../src/study/numbers/results-csv.ts";
import { mergeStudies } from "../../../src/study/trials/merge.ts";
import { resultsPath, trialsPath } from "../../../src/study/trials/sweep.ts";
import { madeResult } from "../numbers/made-results.ts";

const scratch = mkdtempSync(join(tmpdir(), "crosslayer-merge-"));
afterAll(() => rmSync(scratch, { recursive: true }));

async function study(name: string, ...runs: { seed: number; loss: number; key?: string }[]): Promise<string> {
  const directory = join(scratch, name);
  mkdirSync(directory, { recursive: true });
  for (const { seed, loss, key = `key${seed}` } of runs) {
    await appendResult(resultsPath(directory), { ...madeResult({ name: "H64-MQA", loss, seed }), key });
    mkdirSync(join(trialsPath(directory), `H64-MQA-lr0.001-seed${seed}-${key}`), { recursive: true });
    writeFileSync(join(trialsPath(directory), `H64-MQA-lr0.001-seed${seed}-${key}`, "model.safetensors"), name);
  }
  return directory;
}

test("parts come together, each run once; what was there first stays", async () => {
  const [a, b] = [
    await study("a", { seed: 1, loss: 3 }),
    await study("b", { seed: 1, loss: 3.5 }, { seed: 2, loss: 4 }),
  ];
  mkdirSync(join(trialsPath(b), "H64-MQA-lr0.001-seed3-unfinished"));
  const out = await study("out", { seed: 9, loss: 2 });
  const merged = await mergeStudies(out, [a, b]);
  expect(merged.added).toBe(2);
  expect(merged.differing.map(({ kept, left }) => [kept.validation.loss, left.validation.loss])).toEqual([[3, 3.5]]);
  const losses = (await readResults(resultsPath(out))).map(({ seed, validation }) => [seed, validation.loss]);
  expect(losses).toEqual([
    [9, 2],
    [1, 3],
    [2, 4],
  ]);
  expect(existsSync(join(trialsPath(out), "H64-MQA-lr0.001-seed2-key2", "model.safetensors"))).toBe(true);
  expect(existsSync(join(trialsPath(out), "H64-MQA-lr0.001-seed3-unfinished"))).toBe(false);
  expect((await mergeStudies(out, [a, b])).added).toBe(0);
});

test("a study that is worked on is not merged into, and a copy that a kill cut short is made again", async () => {
  const [part, out] = [await study("p", { seed: 1, loss: 3 }), await study("busy", { seed: 2, loss: 3 })];
  {
    using _lock = lockDirectory(out);
    await expect(mergeStudies(out, [part])).rejects.toThrow(/in use/);
  }
  const name = "H64-MQA-lr0.001-seed1-key1";
  const stale = join(trialsPath(out), `.${name}.999999999-1-${parseMark(ownMark)?.host}.tmp`);
  mkdirSync(stale);
  expect((await mergeStudies(out, [part])).copied).toEqual([name]);
  expect(existsSync(stale)).toBe(false);
  expect(existsSync(join(trialsPath(out), name, "model.safetensors"))).toBe(true);
});

test("a part may be a file; one without results is refused and nothing is written", async () => {
  const part = await study("file", { seed: 4, loss: 3 });
  const out = join(scratch, "fresh");
  await expect(mergeStudies(out, [resultsPath(part), join(scratch, "nothing")])).rejects.toThrow(
    /nothing holds no results/,
  );
  expect(existsSync(out)).toBe(false);
  expect((await mergeStudies(out, [resultsPath(part)])).added).toBe(1);
});

test("as CSV a run is a line, and text with commas is quoted", () => {
  const run = madeResult({ name: "H64-MQA-CLA2", loss: Number.NaN, seed: 3 });
  const [head, line, end] = resultsCsv([{ ...run, dataset: { ...run.dataset, source: 'a "b", c' } }]).split("\r\n");
  const cells = Object.fromEntries(
    (head as string).split(",").map((name, i) => [name, (line as string).split(",")[i]]),
  );
  expect(cells).toMatchObject({
    model: "H64-MQA-CLA2",
    seed: "3",
    purpose: "report",
    validation_loss: "",
    layers: "8",
  });
  expect(line).toContain('"a ""b"", c"');
  expect(end).toBe("");
});

test("tasks have columns of their own, empty where a run has none", () => {
  const blimp = { items: 9, metrics: { acc: { value: 0.5, standardError: 0.1 } }, cut: 0, pieces: 0, digest: "x" };
  const [run, other] = [1, 2].map((seed) => madeResult({ name: "H64-MQA", loss: 4, seed })) as [Result, Result];
  const [head, first, second] = resultsCsv([{ ...run, tasks: { blimp } }, other]).split("\r\n") as [
    string,
    string,
    string,
  ];
  expect(head).toMatch(/,blimp_acc,blimp_acc_standard_error$/);
  expect(first).toMatch(/,0\.5,0\.1$/);
  expect(second).toMatch(/,,$/);
});
