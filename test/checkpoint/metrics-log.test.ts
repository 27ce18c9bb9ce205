// The metrics log: rows in order, torn last lines, and cutting back.

import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MetricsLog } from "../../src/checkpoint/metrics-log.ts";
import { InputError } from "../../src/error.ts";
import { scratch } from "../files/scratch.ts";

const logOf = (text: string) => {
  const path = join(scratch(), "metrics.jsonl");
  writeFileSync(path, text);
  return new MetricsLog(path);
};

test("rows come back in order; no file is no rows", async () => {
  const log = new MetricsLog(join(scratch(), "metrics.jsonl"));
  expect(await log.rows()).toEqual([]);
  await log.truncate(0);
  expect(existsSync(log.path)).toBe(false);
  await log.append({ step: 1, loss: 2.5 });
  await log.append({ step: 2, loss: Number.NaN, text: "line\nbreak" });
  expect(await log.rows()).toEqual([
    { step: 1, loss: 2.5 },
    { step: 2, loss: null, text: "line\nbreak" },
  ]);
});

test("cut at every byte, the log gives the rows before and can be continued after truncation", async () => {
  const text = '{"step":1,"é":1}\n{"step":2}\n{"step":3}\n';
  const bytes = Buffer.from(text);
  const path = join(scratch(), "metrics.jsonl");
  const log = new MetricsLog(path);
  for (let length = 0; length <= bytes.length; length++) {
    writeFileSync(path, bytes.subarray(0, length));
    const steps = (await log.rows()).map((row) => row.step);
    expect(steps).toEqual([1, 2, 3].slice(0, steps.length));
    const whole = bytes.subarray(0, length).filter((byte) => byte === 10).length;
    expect(steps.length).toBeGreaterThanOrEqual(whole);
    await log.truncate(3);
    await log.append({ step: 4 });
    expect((await log.rows()).map((row) => row.step)).toEqual([...steps, 4]);
  }
});

test("truncation drops later steps and a torn line, and leaves a right log untouched", async () => {
  const log = logOf('{"step":1}\n{"note":"no step"}\n{"step":3}\n{"step":2}\n{"step":');
  await log.truncate(2);
  expect(readFileSync(log.path, "utf8")).toBe('{"step":1}\n{"note":"no step"}\n{"step":2}\n');
  const { ino } = statSync(log.path);
  await log.truncate(2);
  expect(statSync(log.path).ino).toBe(ino);
  expect(readdirSync(join(log.path, ".."))).toEqual(["metrics.jsonl"]);
});

test.each(["x", "[1]", "1", "null", "", '{"step":1}{"step":2}'])("a wrong line within is named: %s", async (line) => {
  const log = logOf(`{"step":1}\n${line}\n{"step":2}\n`);
  await expect(log.rows()).rejects.toThrow(/metrics\.jsonl: line 2 is not a JSON object/);
  await expect(log.truncate(1)).rejects.toThrow(InputError);
});

test("a log that cannot be written says why", async () => {
  await expect(new MetricsLog(join(scratch(), "none", "log")).append({})).rejects.toThrow(/cannot write .*ENOENT/);
  await expect(new MetricsLog(scratch()).rows()).rejects.toThrow(/cannot read .*EISDIR/);
});
