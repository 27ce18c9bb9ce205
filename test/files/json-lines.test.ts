// JSON lines: what a kill leaves at any byte is read, mended and gone on with.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { InputError } from "../../src/error.ts";
import { appendJsonLine, filterJsonLines, mendJsonLines, readJsonLines } from "../../src/files/json-lines.ts";
import { scratch } from "./scratch.ts";

const text = '{"a":1,"é":"中"}\n[2]\n{"a":3}\n';
const values = [{ a: 1, é: "中" }, [2], { a: 3 }];

test("cut at every byte, the whole lines are read, and the next value is appended after them", async () => {
  const path = join(scratch(), "lines.jsonl");
  const bytes = Buffer.from(text);
  for (const sync of [false, true]) {
    for (let length = 0; length <= bytes.length; length++) {
      writeFileSync(path, bytes.subarray(0, length));
      const { lines, torn } = await readJsonLines(path);
      const read = lines.map(({ value }) => value);
      expect(read).toEqual(values.slice(0, read.length));
      expect(torn?.number).toBe(torn && read.length + 1);
      expect(Buffer.from(`${lines.map((line) => line.text).join("\n")}`).length).toBeLessThanOrEqual(length);
      await appendJsonLine(path, { b: 1 }, { sync });
      const after = [...read, { b: 1 }].map((value) => `${JSON.stringify(value)}\n`).join("");
      expect(readFileSync(path, "utf8")).toBe(after);
    }
  }
});

test("mending cuts a torn line and ends a whole one", async () => {
  const path = join(scratch(), "lines.jsonl");
  for (const [before, after] of [
    ["", ""],
    ['{"a"', ""],
    ["[1]\n[2", "[1]\n"],
    ["[1]\n[2]", "[1]\n[2]\n"],
    ["[1]\n", "[1]\n"],
  ] as const) {
    writeFileSync(path, before);
    await mendJsonLines(path);
    expect(readFileSync(path, "utf8")).toBe(after);
  }
});

test("a line within that is no JSON has no value", async () => {
  const path = join(scratch(), "lines.jsonl");
  writeFileSync(path, "[1]\nx\n\n[2]\n");
  const { lines, torn } = await readJsonLines(path);
  expect(lines.map(({ value }) => value)).toEqual([[1], undefined, undefined, [2]]);
  expect(torn).toBeUndefined();
});

test("lines that are not wanted go, and a refusal changes nothing", async () => {
  const path = join(scratch(), "lines.jsonl");
  writeFileSync(path, `${text}{"a`);
  const refusal = new InputError("no");
  await expect(
    filterJsonLines(path, () => {
      throw refusal;
    }),
  ).rejects.toBe(refusal);
  expect(readFileSync(path, "utf8")).toBe(`${text}{"a`);
  await filterJsonLines(path, ({ number }) => number !== 2);
  expect(readFileSync(path, "utf8")).toBe('{"a":1,"é":"中"}\n{"a":3}\n');
});

test("no file has no lines; a place that cannot be written is named", async () => {
  const directory = scratch();
  expect(await readJsonLines(join(directory, "none"))).toEqual({ lines: [], torn: undefined });
  await expect(appendJsonLine(join(directory, "none", "lines"), 1)).rejects.toThrow(/cannot write .*none.lines/);
  await expect(appendJsonLine(directory, 1)).rejects.toThrow(InputError);
});
