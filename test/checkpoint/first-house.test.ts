// A run that the first version left in the middle of its training opens and goes on, as that version went on with it.

import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { crosslayer } from "../cli/command.ts";
import { scratch } from "../files/scratch.ts";

const left = fileURLToPath(new URL("first-house", import.meta.url));

interface Row {
  readonly step: number;
  readonly loss: number;
  readonly gradNorm: number;
  readonly validation?: number;
}

test("goes on as it did", async () => {
  const run = join(scratch(), "run");
  cpSync(left, run, { recursive: true });
  const { status, err } = await crosslayer(["train", "--out", run, "--resume"]);
  expect(status, err).toBe(0);
  const rows = readFileSync(join(run, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line): Row => JSON.parse(line));
  expect(rows.map(({ step }) => step)).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
  const expected: Row[] = JSON.parse(readFileSync(join(left, "went-on.json"), "utf8"));
  for (const { step, loss, gradNorm, validation } of expected) {
    const found = rows[step - 1] as Row; // of other processors, rounding differs a little, and grows over the steps
    expect(Math.abs(found.loss - loss), `loss of step ${step}`).toBeLessThan(1e-5 * step);
    expect(Math.abs(found.gradNorm - gradNorm), `gradient norm of step ${step}`).toBeLessThan(1e-4 * step);
    if (validation) expect(Math.abs((found.validation as number) - validation)).toBeLessThan(1e-5 * step);
  }
});
