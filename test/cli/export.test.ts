// `crosslayer export`: what it prints, and that a mistake leaves nothing behind.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { kindConfig, sharedKinds, unsharedKinds, writeRun } from "../export/runs.ts";
import { scratch } from "../files/scratch.ts";
import { crosslayer } from "./command.ts";

test("every kind of program gets a folder", async () => {
  const folder = scratch();
  await writeRun(join(folder, "shared"), kindConfig(sharedKinds.cla2!));
  await writeRun(join(folder, "plain"), kindConfig(unsharedKinds.mha!));
  const exported = (run: string, to: string, ...more: string[]) =>
    crosslayer(["export", join(folder, run), "--to", to, "--out", join(folder, `${run}-${to}`), ...more]);
  const plain = await exported("plain", "huggingface", "--dtype", "bfloat16");
  expect(plain.status, plain.err).toBe(0);
  expect(plain.err).toContain("note: The norms of keys and values are folded into the projections of 4 layers");
  expect(plain.out).toMatch(/of weights as llama\nwritten to .*\nin Python: AutoModelForCausalLM.from_pretrained/);
  const shared = await exported("shared", "huggingface");
  expect(shared.out).toContain("trust_remote_code=True");
  expect(existsSync(join(folder, "shared-huggingface", "modeling_crosslayer.py"))).toBe(true);
  const engine = await exported("shared", "lm-engine");
  expect(engine.out).toContain("pretrain.yml");
  const onnx = await exported("shared", "onnx", "--dtype", "int4");
  expect(onnx.out).toContain("onnx/model_q4.onnx");
  expect(onnx.out).toContain("past_key_values.0 … 1");
});

test("mistakes are told in a line, and leave nothing", async () => {
  const folder = scratch();
  await writeRun(join(folder, "run"), kindConfig(sharedKinds.cla2!));
  const cases: readonly (readonly [string[], string])[] = [
    [["--to", "huggingface", "--layout", "llama"], "its layers share keys and values; it can as crosslayer"],
    [["--to", "onnx", "--layout", "llama"], "--layout: is of --to huggingface; onnx has one"],
    [["--to", "onnx", "--dtype", "bfloat16"], '--dtype: found "bfloat16"; here it is float32, int8, int4'],
    [["--to", "huggingface", "--shard", "much"], 'found "much"; expected an amount'],
  ];
  for (const [flags, message] of cases) {
    const { status, err } = await crosslayer(["export", join(folder, "run"), "--out", join(folder, "out"), ...flags]);
    expect(status).toBe(1);
    expect(err).toContain(message);
    expect(err).not.toContain("    at ");
  }
  expect(readdirSync(folder)).toEqual(["run"]);
});
