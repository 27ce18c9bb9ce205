// `crosslayer convert` and `train --init` as a user runs them, on a model of a few seconds.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RunDirectory } from "../../src/checkpoint/run-directory.ts";
import { openOrigin } from "../../src/cli/train-origin.ts";
import { type ConversionOptions, convertRun } from "../../src/convert/conversion.ts";
import { Random } from "../../src/tensor/random.ts";
import { cpu1 } from "../runtime/program.ts";
import { crosslayer } from "./command.ts";

const scratch = mkdtempSync(join(tmpdir(), "crosslayer-convert-"));
afterAll(() => rmSync(scratch, { recursive: true }));
const at = (name: string) => join(scratch, name);

const sizes = { layers: 4, width: 32, heads: 4, kvHeads: 2, headDim: 8, mlpWidth: 64, context: 32 };
const training = ["--steps", "4", "--batch", "2", "--threads", "1", "--seed", "1", "--validate-every", "0"];

beforeAll(async () => {
  const random = new Random(1);
  const letters = "etaoinshrdlu";
  const word = () => Array.from({ length: 2 + random.below(6) }, () => letters[random.below(12)]).join("");
  const words = Array.from({ length: 60 }, word);
  const document = () => Array.from({ length: 400 }, () => words[random.below(words.length)]).join(" ");
  const lines = Array.from({ length: 20 }, () => JSON.stringify({ text: document() }));
  writeFileSync(at("text.jsonl"), `${lines.join("\n")}\n`);
  writeFileSync(at("model.json"), JSON.stringify(sizes));
  const made = await crosslayer([
    ...[
      "train",
      "--data",
      at("text.jsonl"),
      "--config",
      at("model.json"),
      "--vocab",
      "280",
      "--validation-fraction",
      "0.2",
    ],
    ...["--context", "32", "--out", at("teacher"), ...training],
  ]);
  expect({ ...made, err: made.status === 0 ? "" : made.err }).toMatchObject({ status: 0, err: "" });
}, 60_000);

describe("crosslayer convert", () => {
  it("writes a run that is like any other and says how it was made", async () => {
    const { status, out, err } = await crosslayer(["convert", at("teacher"), "--sharing", "2", "--out", at("cla2")]);
    expect({ status, err }).toMatchObject({ status: 0 });
    expect(out).toContain("H8-GQA2, 512 KV bytes per token (float32) → H8-GQA2-CLA2, 256");
    const { config, finished } = await RunDirectory.open(at("cla2"));
    expect(finished).toBe(true);
    expect(config.origin).toMatchObject({
      ...{ kind: "convert", init: "fit", from: { path: at("teacher"), name: "H8-GQA2", kvHeads: 2 } },
      calibration: { source: at("text.jsonl") },
    });
    const scored = await crosslayer(["eval", at("cla2"), "--json"]);
    expect(JSON.parse(scored.out).perplexity).toBeGreaterThan(1);
  });

  it("to itself gives the same bytes", async () => {
    const { out } = await crosslayer(["convert", at("teacher"), "--out", at("same")]);
    expect(out).toContain("the weights are the same, to the bit");
    const weights = async (name: string) => (await (await RunDirectory.open(at(name))).loadModel()).tensors;
    const bits = async (name: string) =>
      Object.entries(await weights(name)).map(([parameter, { data }]) => [
        parameter,
        Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("hex"),
      ]);
    expect(await bits("same")).toEqual(await bits("teacher"));
  });

  it("searches a sharing at a budget, with fewer heads", async () => {
    const { status, out } = await crosslayer([
      ...["convert", at("teacher"), "--search", "0.25", "--kv-heads", "1", "--init", "owner", "--out", at("searched")],
    ]);
    expect(status).toBe(0);
    expect(out).toContain("what each merge loses alone");
    const { model } = (await RunDirectory.open(at("searched"))).config;
    expect(model.kvHeads).toBe(1);
    expect(new Set(model.sharing).size).toBeLessThanOrEqual(2);
  });

  it("prints a mistake alone, and writes nothing", async () => {
    const { status, err } = await crosslayer(["convert", at("teacher"), "--sharing", "3,3", "--out", at("refused")]);
    expect([status, err]).toEqual([1, "error: sharing: 4 layers need 4 entries, found 2\n"]);
    expect(RunDirectory.exists(at("refused"))).toBe(false);
  });

  it.each([
    [{ kvHeads: 3 }, "kvHeads: 2 KV heads cannot be merged to 3; use 1, 2"],
    [{ sharing: () => [0, 0, 2, 2], budget: { ratio: 0.5 } }, "give a sharing or a budget to search one, not both"],
    [
      { budget: { bytes: 16 } },
      "--search: 16 bytes per token are asked, one owner's keys and values take 128 (float32)",
    ],
    [{ sharing: () => [0, 0, 2, 2], calibrate: "nowhere.txt" }, "nowhere.txt"],
    [{ out: at("teacher") }, "holds a run already"],
  ] satisfies [Partial<ConversionOptions>, string][])("refuses %j", async (options, message) => {
    const asked = { from: at("teacher"), out: at("refused"), init: "fit" as const, ...options };
    await expect(convertRun(asked, async () => cpu1)).rejects.toThrow(message);
    expect(RunDirectory.exists(at("refused"))).toBe(false);
  });
});

describe("crosslayer train --init", () => {
  it("goes on from a run's weights with a teacher, and is resumed as it began", async () => {
    await crosslayer(["convert", at("teacher"), "--sharing", "2", "--init", "mean", "--out", at("mean")]);
    const asked = ["train", "--init", at("mean"), "--teacher", at("teacher"), "--distill", "0.7"];
    const whole = await crosslayer([...asked, ...training, "--out", at("taught")]);
    expect(whole).toMatchObject({ status: 0 });
    const { config } = await RunDirectory.open(at("taught"));
    expect(config.origin).toMatchObject({
      kind: "train",
      init: { path: at("mean"), name: "H8-GQA2-CLA2" },
      teacher: { path: at("teacher"), name: "H8-GQA2", share: 0.7 },
    });
    expect(config.data).toMatchObject({ source: at("text.jsonl"), validationFraction: 0.2 });
    const stopped = await crosslayer(
      [...asked, ...training, "--out", at("parts"), "--checkpoint-every", "1"],
      (child) => {
        child.stderr?.on("data", (chunk) => {
          if (String(chunk).includes("parameters")) child.kill("SIGINT"); // before its first step, or after a few
        });
      },
    );
    if (stopped.status !== 0) {
      const rest = await crosslayer(["train", "--out", at("parts"), "--resume", "--threads", "1"]);
      expect(rest).toMatchObject({ status: 0 });
    }
    const weights = async (name: string) => (await (await RunDirectory.open(at(name))).loadModel()).tensors;
    expect(await weights("parts")).toEqual(await weights("taught"));
  }, 60_000);

  it("refuses another model, and a teacher of another tokenizer", async () => {
    const asked = ["train", "--init", at("teacher"), "--out", at("refused"), "--sharing", "2"];
    const { status, err } = await crosslayer(asked);
    expect([status, err]).toEqual([
      1,
      `error: train: the model is that of --init ${at("teacher")}; leave out --sharing; \`crosslayer convert\` changes the sharing\n`,
    ]);
    await expect(openOrigin({ init: at("teacher"), distill: 0.5 })).rejects.toThrow(
      "there is no teacher to agree with",
    );
    await expect(openOrigin({ init: at("nowhere") })).rejects.toThrow("no run here");
    const { config } = await RunDirectory.open(at("teacher"));
    await RunDirectory.create(at("other"), config, { model: "another" });
    await expect(openOrigin({ init: at("teacher"), teacher: at("other") })).rejects.toThrow("different tokenizers");
    const origin = await openOrigin({ teacher: at("teacher") });
    await expect(origin?.beginning(64)).rejects.toThrow("context: 64 tokens asked, the model was trained on 32");
  });
});
