import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { RunDirectory } from "../../src/checkpoint/run-directory.ts";
import { askedRun, checkNoStudy } from "../../src/cli/asked-run.ts";
import { scratch } from "../files/scratch.ts";
import { tinyConfig } from "../model/tiny.ts";

test("a study that is taken for a run tells its runs", async () => {
  const study = join(scratch(), "demo");
  mkdirSync(join(study, "trials"), { recursive: true });
  await expect(askedRun(study)).rejects.toThrow(/demo: is a study; it has no runs yet/);
  const config = { name: "tiny", model: tinyConfig([0, 0, 2, 2], "GQA"), recipe: {}, data: {} };
  for (const name of ["b", "a"]) await RunDirectory.create(join(study, "trials", name), config, {});
  writeFileSync(join(study, "trials", "notes.txt"), "");
  const runs = ["a", "b"].map((name) => `\n  ${join(study, "trials", name)}`).join("");
  await expect(askedRun(study)).rejects.toThrow(`${study}: is a study; name one of its runs:${runs}`);
  expect(() => checkNoStudy(study)).toThrow(/name one of its runs/);
  expect((await askedRun(join(study, "trials", "a"))).config.name).toBe("tiny");
  await expect(askedRun(join(study, "none"))).rejects.toThrow(/no run here/);
});
