import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { OutputRows } from "../../src/cli/output-rows.ts";
import { commandLine } from "../../src/cli/program.ts";
import { InputError } from "../../src/error.ts";
import { systemError } from "../../src/files/file-error.ts";
import { scratch } from "../files/scratch.ts";

test.each([
  [["study", "merge", "x", "--out", ""], /--out: is empty/],
  [["train", "--out", "x", "--data", ""], /--data: is empty/],
])("a place without a name is refused: %j", async (args, message) => {
  const command = await commandLine(args[0]);
  await expect(command.parseAsync(args, { from: "user" })).rejects.toThrow(message);
});

test("a pipe that nobody reads is not waited for", async () => {
  const path = join(scratch(), "pipe");
  execFileSync("mkfifo", [path]);
  await expect(OutputRows.open(path)).rejects.toThrow(/cannot be written: ENXIO/);
});

test.each(["std::bad_alloc", "pthread_create failed, error code: 12 error msg: Cannot allocate memory\n"])(
  "memory that cannot be had is told on a line: %j",
  (message) => {
    const told = systemError(new Error(message)) as Error;
    expect(told).toBeInstanceOf(InputError);
    expect(told.message).toMatch(/^memory: there is less than this needs .*; ask for less, or free some$/);
  },
);

test("what the system refuses is told in words, with both places of a copy", () => {
  const refused = (more: object) => systemError(Object.assign(new Error("system"), { code: "ENOSPC", ...more }));
  const copy = refused({ syscall: "copyfile", path: "a/x", dest: "b/x" }) as Error;
  expect(copy.message).toContain("cannot copy a/x to b/x: the disk is full");
  expect((refused({ syscall: "mkdir", path: "b" }) as Error).message).toContain("cannot make b: the disk is full");
});
