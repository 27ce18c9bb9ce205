// `crosslayer eval --tasks` and `--probes`, as a user runs them.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { text, writeRuns } from "../server/serving.ts";
import { crosslayer } from "./command.ts";

const fixtures = fileURLToPath(new URL("../fixtures/tasks", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "crosslayer-eval-"));
const at = (name: string) => join(directory, name);
afterAll(() => rmSync(directory, { recursive: true }));
beforeAll(async () => {
  await writeRuns(directory);
  writeFileSync(at("text.txt"), text.repeat(40));
});

test("scores tasks, tells their errors, and writes what it said of each item", async () => {
  const asked = ["eval", at("shared"), "--tasks-dir", fixtures, "--threads", "1"];
  const all = "blimp,lambada,piqa,arc_easy,openbookqa,winogrande,boolq,copa,wikitext";
  const samples = at("samples.jsonl");
  const found = await crosslayer([...asked, "--tasks", all, "--samples", samples, "--json"]);
  expect(found.err).not.toContain("error");
  const { tasks } = JSON.parse(found.out);
  expect(Object.keys(tasks)).toEqual(all.split(","));
  expect(tasks.blimp.items).toBe(5);
  const lines = readFileSync(samples, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines).toHaveLength(5 + 3 + 2 * 6 + 2);
  const right = lines.filter(({ task }) => task === "piqa").map(({ metrics }) => metrics.acc[0]);
  expect(tasks.piqa.metrics.acc.value).toBe((right[0] + right[1]) / 2);
  const shown = await crosslayer([
    ...asked,
    "--tasks",
    "blimp,piqa",
    "--limit",
    "1",
    "--kv-dtype",
    "int8",
    "--window",
    "100",
  ]);
  expect(shown.out).toMatch(
    /task +items +metric +value +±\nblimp +2 +acc +[\d.]+\npiqa +1 +acc +[\d.]+\n +acc_norm +[\d.]+\nblimp: the mean of 2 subsets/,
  );
});

test("probes the context", async () => {
  const asked = [
    "eval",
    at("shared"),
    "--data",
    at("text.txt"),
    "--threads",
    "1",
    "--probes",
    "position,copying,retrieval",
  ];
  const found = await crosslayer([...asked, "--contexts", "32,64", "--json"]);
  const { probes } = JSON.parse(found.out);
  expect(probes.map(({ context }: { context: number }) => context)).toEqual([32, 64]);
  expect(probes[1].position.at(-1)).toMatchObject({ from: 32, to: 64 });
  const shown = await crosslayer([...asked, "--contexts", "32"]);
  expect(shown.out).toMatch(/context of 32 tokens[\s\S]*loss by position[\s\S]*repeated[\s\S]*value by distance/);
});

test.each([
  [["--tasks", "hellaswag"], /there is no "hellaswag"; there is blimp/],
  [["--tasks", "copa", "--tasks-dir", "nowhere"], /nowhere is no directory/],
  [["--tasks", "copa", "--data", "sotu"], /--data is of text, and --tasks was asked for/],
  [["--tasks", "copa", "--probes", "position"], /--probes is of text/],
  [["--samples", "x"], /--samples is of tasks; name them/],
  [
    ["--tasks", "copa", "--tasks-dir", fixtures, "--window", "9999"],
    /--window 9999 is more than the model's context of 512/,
  ],
  [["--tasks", "copa", "--tasks-dir", fixtures, "--samples", "/nowhere/x"], /cannot write \/nowhere\/x: no such file/],
  [["--data", "TEXT", "--probes", "luck"], /there is no "luck"; there is position/],
  [["--data", "TEXT", "--probes", "position", "--contexts", "9999"], /9999 is more than the 512 tokens/],
  [["--data", "TEXT", "--contexts", "32"], /--contexts is of probes/],
] as const)("%j is refused", async (asked, message) => {
  const { status, out, err } = await crosslayer([
    "eval",
    at("shared"),
    ...asked.map((one) => (one === "TEXT" ? at("text.txt") : one)),
  ]);
  expect(err).toMatch(message);
  expect(err).not.toMatch(/\n\s+at /);
  expect([status, out]).toEqual([1, ""]);
});
