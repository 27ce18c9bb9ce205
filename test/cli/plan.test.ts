import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { crosslayer } from "./command.ts";

const scratch = mkdtempSync(join(tmpdir(), "crosslayer-plan-"));
afterAll(() => rmSync(scratch, { recursive: true }));
const at = (name: string) => join(scratch, name);
const plan = (...args: string[]) => crosslayer(["plan", ...args]);
const json = async (...args: string[]) => JSON.parse((await plan(...args, "--json")).out);

const llama = {
  ...{ model_type: "llama", hidden_size: 4096, num_hidden_layers: 32, num_attention_heads: 32 },
  ...{ num_key_value_heads: 8, intermediate_size: 14336, vocab_size: 128256, max_position_embeddings: 131072 },
};

beforeAll(() => {
  const write = (name: string, value: unknown) => writeFileSync(at(name), JSON.stringify(value));
  mkdirSync(at("run"));
  const sizes = { layers: 2, width: 64, heads: 2, kvHeads: 1, headDim: 32, mlpWidth: 96, vocab: 300, context: 64 };
  write("run/config.json", { format: 1, name: "x", model: { ...sizes, sharing: [0, 0] }, recipe: {}, data: {} });
  mkdirSync(at("llama"));
  write("llama/config.json", llama);
  mkdirSync(at("empty"));
  write("moe.json", { ...llama, num_local_experts: 8 });
});

const paper = ["H128-MQA-CLA2", "--scale", "1b", "--memory", "24GB", "--context", "8192", "--batch", "32"];

describe("crosslayer plan", () => {
  it("says what fits of a model of the paper, beside the same model without sharing", async () => {
    const { out, err, status } = await plan(...paper);
    expect([err, status]).toEqual(["", 0]);
    expect(out).toContain("10 of 20 layers keep keys and values: the cache is 50% smaller");
    expect(out).toContain("22.35 GiB a device; 1 device");
    expect(out).toMatch(/with sharing +without/);
    expect(out).toMatch(/KV bytes\/token +5,120 +10,240 +×0\.5/);
    expect(out).toMatch(/largest batch at 8,192 tokens +\d+ +\d+ +×2/);
    expect(out).toMatch(/longest context at batch 32 +[\d,]+ +[\d,]+ +×2/);
    expect(out).toContain("activations and all else must fit in --reserve (0 B)");
    expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  it("prints the same numbers as one object", async () => {
    const { out } = await plan(...paper);
    const found = await json(...paper, "--reserve", "0");
    const { capacity, unshared } = found;
    expect(found).toMatchObject({ name: "H128-MQA-CLA2", memory: 24e9, reserve: 0, weights: "float16", splits: [] });
    expect(capacity.blocks).toBe(Math.floor((24e9 - capacity.weightBytes) / (128 * 5120)));
    expect(capacity.batch).toBe(Math.floor(capacity.blocks / 64));
    expect(capacity.context).toBe(Math.floor(capacity.blocks / 32) * 128);
    for (const number of [capacity.batch, capacity.context, unshared.batch, unshared.context, found.tokens]) {
      expect(out).toContain(number.toLocaleString("en-US"));
    }
  });

  it("reserves a part or an amount", async () => {
    const reserves = ["0.25", "6GB", "1.5GiB"].map(async (r) => (await json(...paper, "--reserve", r)).reserve);
    expect(await Promise.all(reserves)).toEqual([6e9, 6e9, 1.5 * 2 ** 30]);
  });

  it("names layers and stages where cuts split a group, what is sent, and better cuts", async () => {
    const { out } = await plan(...paper, "--pp", "3", "--tp", "2");
    expect(out).toContain("6 devices: 3 pipeline stages × 2 tensor parallel");
    expect(out).toContain("The cuts at 7, 14 split a sharing group:");
    expect(out).toContain("layer 6 (stage 0) is read by layer 7 in stage 1: 1,024 bytes/token");
    expect(out).toMatch(/--cuts 6,14 splits none: batch [\d,]+ at 8,192 tokens \(here [\d,]+\)/);
    expect(out).toMatch(/1 +7–13 +3 \+ 1 copied/);
    expect(out).toContain(
      "Each has 8 of 16 query heads and 1 of 1 KV heads; fewer KV heads than devices: each is kept 2",
    );
    const whole = await plan(...paper, "--cuts", "6,14");
    expect(whole.out).toContain("The cuts at 6, 14 split no sharing group");
  });

  it("says that one owner for all leaves no place to cut", async () => {
    const { out } = await plan("--depth", "8", "--sharing", "0,0,0,0,0,0,0,0", "--memory", "1GB", "--pp", "2");
    expect(out).toContain("No cuts into 2 stages keep every group in one: some group spans every place to cut at.");
  });

  it("takes a run, in float32 and at its own context", async () => {
    const found = await json(at("run"), "--memory", "16MB");
    expect(found).toMatchObject({ name: "H32-MQA-CLA2", origin: at("run"), weights: "float32", kvDtype: "float32" });
    expect(found.context).toBe(64);
    expect(found.capacity.kvBytesPerToken).toBe(2 * 32 * 4);
    const eight = await json(at("run"), "--memory", "16MB", "--kv-dtype", "int8", "--weights", "int8");
    expect(eight.capacity.kvBytesPerToken).toBe(2 * (32 + 2));
  });

  it("takes a Hugging Face config, and what it would be with sharing", async () => {
    const found = await json(at("llama"), "--memory", "80GB");
    expect(found.capacity).toMatchObject({ weightBytes: 2 * 8_030_261_248, kvBytesPerToken: 131072 });
    expect([found.unshared, found.context]).toEqual([null, 131072]);
    const shared = await json(at("llama/config.json"), "--memory", "80GB", "--sharing", "2");
    expect([shared.capacity.kvBytesPerToken, shared.unshared.kvBytesPerToken]).toEqual([65536, 131072]);
  });
});

describe("a plan that cannot be", () => {
  const small = ["H64-MQA", "--depth", "4"];
  const mistakes: [string, string[], number, RegExp][] = [
    ["no memory given", small, 1, /plan: --memory is missing, as in --memory 24GB/],
    ["no amount", [...small, "--memory", "lots"], 2, /--memory <size>.*24GB, 256MB \(decimal\) or 1\.5GiB/],
    [
      "weights too large",
      [...small, "--memory", "1MB"],
      1,
      /cannot hold the weights, \d.*are missing; use more memory/,
    ],
    [
      "heads that do not split",
      [...small, "--memory", "1GB", "--tp", "3"],
      1,
      /2 query heads do not split over 3 devices/,
    ],
    [
      "more stages than layers",
      [...small, "--memory", "1GB", "--pp", "5"],
      1,
      /5 stages asked, the model has 4 layers/,
    ],
    ["cuts outside", [...small, "--memory", "1GB", "--cuts", "2,4"], 1, /cuts: 2,4 asked, 4 is wrong/],
    ["cuts that are none", [...small, "--memory", "1GB", "--cuts", "a"], 2, /--cuts <layers>.*whole number, 1 or more/],
    [
      "stages and other cuts",
      [...small, "--memory", "1GB", "--cuts", "2", "--pp", "3"],
      1,
      /make 2 stages, --pp asks for 3/,
    ],
    ["a path to nothing", [at("none.json"), "--memory", "1GB"], 1, /none\.json: no such file or directory/],
    ["a directory of nothing", [at("empty"), "--memory", "1GB"], 1, /empty: no config\.json here/],
    ["experts", [at("moe.json"), "--memory", "1GB"], 1, /moe\.json: model_type "llama" has a mixture of experts/],
    ["sizes twice", [at("llama"), "--memory", "1GB", "--depth", "4"], 1, /--depth is for models by name/],
  ];
  it.each(mistakes)("%s", async (_, args, status, message) => {
    const outcome = await plan(...args);
    expect(outcome.err).toMatch(message);
    expect(outcome.status).toBe(status);
    expect(outcome.err).not.toMatch(/\n\s+at /); // a stack
  });
});

describe("crosslayer plan --train", () => {
  const tiny = ["--depth", "2", "--vocab", "300", "--context", "32", "--train"];

  it("says what training takes before anything is begun: memory, micro-batch, time", async () => {
    const { out, err, status } = await plan(...tiny, "--batch", "4", "--tokens", "12800");
    expect([err, status]).toEqual(["", 0]);
    expect(out).toContain("4 sequences of 32 tokens");
    expect(out).toMatch(/micro-batch +4, the whole batch/);
    expect(out).toMatch(/memory +[\d.]+ MiB, of it weights and moments 1.208 MiB; .* can be used/);
    expect(out).toMatch(/a step +.*tokens\/s \(measured, the median of \d\)/);
    expect(out).toMatch(/the run +100 steps, 12.8K tokens: /);
  });

  it("plans for other memory than there is, and says what does not fit", async () => {
    const some = await json(...tiny, "--batch", "4", "--memory", "4MB");
    expect(some).toMatchObject({ batch: 4, usableBytes: 4e6, measuredSteps: 5, stateBytes: 12 * some.parameters });
    expect(some.microBatch).toBeLessThan(4);
    const { err, status } = await plan(...tiny, "--memory", "1MB");
    expect(err).toMatch(/memory: a training step with one sequence of 32 tokens needs about .*; try --recompute/);
    expect(status).toBe(1);
  });

  it("tells what belongs to the other kind of plan, and what is missing", async () => {
    expect((await plan(...tiny, "--tp", "2")).err).toContain("--tp is for plans of serving; leave out --train");
    expect((await plan("--steps", "4")).err).toContain("--steps is for plans of training; add --train");
    expect((await plan()).err).toContain("--memory is missing");
    expect((await plan(...tiny, "--mfu", "0.4")).err).toContain("--mfu: no published peak is known of");
  });
});
