// Crash safety: a process that saves without pause is killed again and again, and never loses what it had saved.

import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { RunDirectory } from "../../src/checkpoint/run-directory.ts";
import { modelConfig } from "../../src/model/config.ts";
import { Random } from "../../src/tensor/random.ts";
import { bundle, scratch } from "../files/scratch.ts";

const kills = 20;
const model = modelConfig({ layers: 2, width: 64, heads: 2, headDim: 32, mlpWidth: 128, vocab: 500, context: 16 });
const config = { name: "crash", model, recipe: {}, data: {} };

/** Lets the script save until a moment in [0, 80) ms after its first step; what it told: the last step begun and done. */
async function runAndKill(script: string, path: string, random: Random) {
  const child = spawn(process.execPath, [script, path], { stdio: ["ignore", "pipe", "inherit"] });
  let told = "";
  let armed = false;
  child.stdout.on("data", (chunk) => {
    told += chunk;
    if (armed || !told.includes("begun")) return;
    armed = true;
    setTimeout(() => child.kill("SIGKILL"), random.uniform() * 80);
  });
  const signal = await new Promise((resolve) => child.on("close", (_, how) => resolve(how)));
  expect(signal).toBe("SIGKILL"); // it did not end by itself
  const last = (word: string) => Number([...told.matchAll(new RegExp(`${word} (\\d+)\n`, "g"))].at(-1)?.[1] ?? 0);
  return { begun: last("begun"), done: last("done") };
}

/** Kills `count` processes of one run after another; checks what each left. Kills in the middle of a write, and steps. */
async function ordeal(script: string, path: string, random: Random, count: number) {
  await RunDirectory.create(path, config, {});
  let before = 0;
  let midway = 0;
  for (let kill = 0; kill < count; kill++) {
    const { begun, done } = await runAndKill(script, path, random);
    const halves = readdirSync(path).filter((name) => name.endsWith(".tmp"));
    expect(halves.length).toBeLessThanOrEqual(1); // those of earlier kills have been removed
    midway += halves.length;

    const run = await RunDirectory.open(path);
    const checkpoint = await run.loadCheckpoint(); // checks the checksum
    const step = Number(checkpoint?.state.step ?? 0);
    expect(step).toBeGreaterThanOrEqual(Math.max(before, done));
    expect(step).toBeLessThanOrEqual(begun);
    expect(begun - step).toBeLessThanOrEqual(1);
    if (checkpoint) {
      expect(Number(checkpoint.state.position)).toBe(step * 8);
      for (const { data } of Object.values(checkpoint.tensors)) {
        expect((data as Float32Array).every((value) => value === step)).toBe(true);
      }
      expect(Object.keys((await run.loadModel()).tensors).length * 3).toBe(Object.keys(checkpoint.tensors).length);
    }
    const steps = (await run.metrics()).map((row) => row.step);
    expect(steps.slice(0, step)).toEqual(Array.from({ length: step }, (_, i) => i + 1));
    before = step;
  }
  return { midway, steps: before };
}

test(`${kills} kills at random moments lose nothing but the step in hand`, async () => {
  const directory = scratch();
  const script = await bundle("../checkpoint/saving-process.ts", directory);
  const results = await Promise.all(
    ["a", "b"].map((name, i) => ordeal(script, join(directory, name), new Random(i), kills / 2)),
  );
  const [midway, steps] = (["midway", "steps"] as const).map((key) =>
    results.reduce((sum, result) => sum + result[key], 0),
  );
  expect(steps).toBeGreaterThan(0);
  expect(midway).toBeGreaterThan(0);
  console.info(`${kills} kills, ${midway} of them in the middle of a write; ${steps} steps saved`);
});
