// Directories are made with those above them, and what the system refuses is told as it is.

import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { InputError } from "../../src/error.ts";
import { makeDirectory } from "../../src/files/directory.ts";
import { bundle, output, scratch } from "./scratch.ts";

test("a directory is made with those above it, and may be there", () => {
  const path = join(scratch(), "a", "b", "c");
  makeDirectory(path);
  makeDirectory(path);
  expect(existsSync(path)).toBe(true);
});

test("a file in the way is told", () => {
  const directory = scratch();
  writeFileSync(join(directory, "file"), "");
  expect(() => makeDirectory(join(directory, "file"))).toThrow(/a file of this name is in the way.*\(EEXIST\)/);
  expect(() => makeDirectory(join(directory, "file", "a", "b"))).toThrow(/is a file, not a directory.*\(ENOTDIR\)/);
});

test("a link that leads nowhere is told as what is in the way", () => {
  const directory = scratch();
  symlinkSync(join(directory, "none"), join(directory, "link"));
  expect(() => makeDirectory(join(directory, "link"))).toThrow(/is in the way.*\(EEXIST\)/);
  expect(() => makeDirectory(join(directory, "link", "a", "b"))).toThrow(/is in the way.*\(EEXIST\)/);
});

test.skipIf(process.platform !== "linux")("a place that is nowhere is told", () => {
  expect(() => makeDirectory("/proc/none/a")).toThrow(InputError);
});

test.skipIf(process.platform !== "linux")("a read-only file system is told as one, however deep", async (context) => {
  const directory = scratch();
  const script = await bundle("make-directory-process.ts", directory);
  const disk = join(directory, "disk");
  mkdirSync(disk);
  // A mount namespace of its own: nothing outside the command sees the disk.
  const mount = 'mount -t tmpfs none "$1" && mount -o remount,ro "$1"';
  const inside = (command: string) =>
    output("unshare", ["-rm", "sh", "-c", command, "sh", disk, process.execPath, script]);
  if ((await inside(mount)).code !== 0) context.skip(); // not every kernel lets users have namespaces
  for (const path of ["a", "a/b/c"]) {
    const { text } = await inside(`${mount} && exec "$2" "$3" "$1/${path}"`);
    expect(text).toMatch(/^InputError: cannot create .*: the file system is read-only; .* \(EROFS\)/);
  }
});
