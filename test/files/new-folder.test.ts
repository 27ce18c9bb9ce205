import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { newFolder } from "../../src/files/new-folder.ts";
import { ownMark, parseMark } from "../../src/files/process-mark.ts";
import { scratch } from "./scratch.ts";

const fill = async (folder: string) => writeFileSync(join(folder, "a"), "1");

test("a folder appears whole, and what a killed process left of it goes", async () => {
  const directory = scratch();
  mkdirSync(join(directory, `.out.999999999-1-${parseMark(ownMark)?.host}.tmp`));
  mkdirSync(join(directory, ".out.notes.tmp")); // of nobody
  await newFolder(join(directory, "out"), fill);
  expect(readdirSync(directory).sort()).toEqual([".out.notes.tmp", "out"]);
});

test("one that another process made meanwhile stays, and is told", async () => {
  const directory = scratch();
  const out = join(directory, "out");
  const late = newFolder(out, async (folder) => {
    await fill(folder);
    mkdirSync(out);
    writeFileSync(join(out, "b"), "2");
  });
  await expect(late).rejects.toThrow(/holds files already; choose another folder/);
  expect(readdirSync(directory)).toEqual(["out"]);
  expect(readdirSync(out)).toEqual(["b"]);
});
