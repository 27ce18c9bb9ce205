// Which files of a directory hold documents: links, hidden names, and what is no file.

import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { InputError } from "../../src/error.ts";
import { localFiles } from "../../src/text/local-files.ts";
import { scratch } from "../files/scratch.ts";

const names = (directory: string) => localFiles(directory).map(({ path }) => relative(directory, path));

/** A directory with these files, each of which holds its name. */
function tree(files: readonly string[]): string {
  const directory = scratch();
  for (const file of files) {
    mkdirSync(join(directory, file, ".."), { recursive: true });
    writeFileSync(join(directory, file), file);
  }
  return directory;
}

test("files come by path; other kinds and hidden names are passed over", () => {
  const directory = tree([
    "b.txt",
    "a/z.txt",
    "a.txt",
    "a-b/c.jsonl",
    "note.md",
    ".hidden.txt",
    ".git/x.txt",
    "a/.b/c.txt",
  ]);
  expect(names(directory)).toEqual(["a-b/c.jsonl", "a.txt", "a/z.txt", "b.txt"]);
  expect(names(join(directory, ".git"))).toEqual(["x.txt"]); // asked for by its name
});

test.skipIf(process.platform === "win32")("a directory is read once, however many links lead to it", () => {
  const directory = tree(["real/a.txt", "real/deep/b.txt"]);
  symlinkSync(join(directory, "real"), join(directory, "again"));
  symlinkSync(directory, join(directory, "real", "deep", "circle"));
  symlinkSync(join(directory, "gone"), join(directory, "broken.txt"));
  expect(names(directory)).toEqual(["real/a.txt", "real/deep/b.txt"]);
  const outside = tree(["c.txt"]);
  symlinkSync(outside, join(directory, "one"));
  symlinkSync(outside, join(directory, "two"));
  symlinkSync(join(outside, "c.txt"), join(directory, "c.txt"));
  mkdirSync(join(directory, "a"));
  symlinkSync(join(directory, "real"), join(directory, "a", "first")); // met before what it leads to
  // A file goes by every link of its own; a directory by its own path, or by the first link.
  expect(names(directory)).toEqual(["c.txt", "one/c.txt", "real/a.txt", "real/deep/b.txt"]);
});

test.skipIf(process.platform === "win32")("a pipe or a device is refused, alone and in a directory", () => {
  const directory = tree(["a.txt"]);
  const pipe = join(directory, "pipe.txt");
  execFileSync("mkfifo", [pipe]);
  for (const path of [pipe, directory]) {
    expect(() => localFiles(path)).toThrow(InputError);
    expect(() => localFiles(path)).toThrow(/pipe\.txt": is a pipe, a socket or a device/);
  }
});
