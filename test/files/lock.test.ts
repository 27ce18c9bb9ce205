// Locks: one process at a time, and the dead hold nothing.

import { spawn } from "node:child_process";
import { readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { InputError } from "../../src/error.ts";
import { lockDirectory } from "../../src/files/lock.ts";
import { ownMark, parseMark } from "../../src/files/process-mark.ts";
import { bundle, scratch } from "./scratch.ts";

test("one at a time in a process, also by another name, and again after release", () => {
  const directory = scratch();
  const alias = join(scratch(), "alias");
  symlinkSync(directory, alias);
  const first = lockDirectory(directory);
  expect(() => lockDirectory(directory)).toThrow(InputError);
  expect(() => lockDirectory(alias)).toThrow(/in use by this process already/);
  first[Symbol.dispose]();
  const second = lockDirectory(alias);
  first[Symbol.dispose](); // a second time, when it is another's: nothing happens
  expect(() => lockDirectory(directory)).toThrow(InputError);
  second[Symbol.dispose]();
  expect(readdirSync(directory)).toEqual([]);
});

test("a living process's lock holds and names it; a killed one's is taken over", async () => {
  const directory = scratch();
  const script = await bundle("locking-process.ts", scratch());
  const child = spawn(process.execPath, [script, directory, "0"], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.on("close", resolve));
  await new Promise((resolve) => child.stdout.once("data", resolve));
  expect(() => lockDirectory(directory)).toThrow(new RegExp(`in use by process ${child.pid} on .*remove .*lock\\.`));
  expect(readdirSync(directory)).toHaveLength(1); // our own announcement is gone
  child.kill("SIGKILL");
  await ended;
  expect(readdirSync(directory)).toHaveLength(1); // it could not clean up
  const lock = lockDirectory(directory);
  expect(readdirSync(directory)).toEqual([`lock.${ownMark}`]);
  lock[Symbol.dispose]();
});

test("of many processes that race for a lock, no two hold it at once", async () => {
  const directory = scratch();
  const script = await bundle("locking-process.ts", scratch());
  const log = join(directory, "log");
  writeFileSync(log, "");
  const racers = Array.from({ length: 4 }, () => spawn(process.execPath, [script, directory, "60"]));
  const texts = await Promise.all(
    racers.map(async (child) => {
      let text = "";
      child.stdout.on("data", (chunk) => (text += chunk));
      await new Promise((resolve) => child.on("close", resolve));
      return text;
    }),
  );
  const counts = texts.map((text) => JSON.parse(text) as { held: number; refused: number; disturbed: number });
  const total = (key: "held" | "refused" | "disturbed") => counts.reduce((sum, count) => sum + count[key], 0);
  expect(total("held")).toBeGreaterThan(0);
  expect(total("refused")).toBeGreaterThan(0); // they did meet
  expect(total("disturbed")).toBe(0);
});

test("a lock from another host cannot be judged and says so", () => {
  const directory = scratch();
  const { pid } = parseMark(ownMark)!;
  writeFileSync(join(directory, `lock.${pid}-1-elsewhere`), "");
  expect(() => lockDirectory(directory)).toThrow(`in use by process ${pid} on elsewhere`);
  writeFileSync(join(directory, "lock.txt"), ""); // not one of ours, but in the place of one
  expect(() => lockDirectory(join(directory, "none"))).toThrow(InputError);
});
