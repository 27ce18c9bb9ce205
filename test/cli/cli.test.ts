import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { crosslayer } from "./command.ts";

const scratch = mkdtempSync(join(tmpdir(), "crosslayer-cli-"));
afterAll(() => rmSync(scratch, { recursive: true }));
const at = (name: string) => join(scratch, name);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const small = [
  "--vocab",
  "300",
  "--depth",
  "2",
  "--context",
  "16",
  "--batch",
  "2",
  "--threads",
  "1",
  "--field",
  "body",
];

beforeAll(() => {
  const words = "we the people of the united states in order to form a more perfect union".split(" ");
  const rows = Array.from({ length: 80 }, (_, i) =>
    JSON.stringify({
      body: Array.from({ length: 30 }, (_, j) => words[(i + j * (1 + (i % 3))) % words.length]).join(" "),
    }),
  );
  writeFileSync(at("text.jsonl"), rows.join("\n"));
});

/** Everything of a run that must not depend on how often it was stopped. */
const weightsOf = (run: string) => readFileSync(join(at(run), "model.safetensors")).toString("base64");

describe("crosslayer train, eval and generate", () => {
  it("train a run, measure it, and let it write", async () => {
    const trained = await crosslayer([
      "train",
      "--data",
      at("text.jsonl"),
      "--out",
      at("run"),
      "--steps",
      "20",
      ...small,
    ]);
    expect(trained.err).toContain("H64-MQA-CLA2");
    expect(trained.out).toMatch(/validation perplexity \d+\.\d+, \d+\.\d+ bits per byte/);
    expect(trained.status).toBe(0);
    expect(readdirSync(at("run")).sort()).toEqual(
      ["checkpoint.safetensors", "config.json", "data", "metrics.jsonl", "model.safetensors", "tokenizer.json"].sort(),
    );

    const again = await crosslayer(["train", "--data", at("text.jsonl"), "--out", at("run"), ...small]);
    expect([again.status, again.err]).toEqual([
      1,
      expect.stringContaining("holds a run already; continue it with --resume"),
    ]);

    const measured = await crosslayer(["eval", at("run"), "--data", at("text.jsonl"), "--json"]);
    const { perplexity, loss, bitsPerByte, wordPerplexity } = JSON.parse(measured.out);
    expect(perplexity).toBeCloseTo(Math.exp(loss), 6);
    expect(trained.out).toContain(`perplexity ${perplexity.toFixed(2)}, ${bitsPerByte.toFixed(4)}`);
    expect(wordPerplexity).toBeGreaterThan(1);
    const table = await crosslayer(["eval", at("run")]);
    expect(table.out).toMatch(/perplexity per token .*\n.*bits per byte.*\n.*perplexity per word/);

    const rounding = ["--kv-dtype", "int8", "--weights", "int4"];
    const rounded = await crosslayer(["eval", at("run"), ...rounding, "--json"]);
    expect(JSON.parse(rounded.out)).toMatchObject({ kvDtype: "int8", weights: "int4", split: "validation" });
    expect(JSON.parse(rounded.out).loss / loss).toBeCloseTo(1, 1);
    const named = await crosslayer(["eval", at("run"), "--kv-dtype", "int8"]);
    expect(named.out).toMatch(/words\)\n {2}keys and values in int8, weights in float32\n {2}perplexity per token/);

    const write = () => crosslayer(["generate", at("run"), "we the", "--seed", "3", "--max-tokens", "5"]);
    const [one, two] = [await write(), await write()];
    expect(one.out.startsWith("we the")).toBe(true);
    expect(two.out).toBe(one.out);
    expect(one.err).toMatch(/KV cache .* of float32 for [\d,]+ tokens/);

    const shown = JSON.parse((await crosslayer(["inspect", at("run"), "--json"])).out);
    expect(shown).toMatchObject({ name: "H64-MQA-CLA2", sharing: [0, 0], kvLayers: 1, finished: true });
    expect(shown.kvBytesPerToken).toEqual({ float32: 512, float16: 256 });
  });

  it("interrupted, saves and exits 130; killed at random, keeps its last checkpoint; resumed, is the run that never stopped", async () => {
    const data = ["--data", at("text.jsonl"), "--steps", "300", "--checkpoint-every", "5", ...small];
    await crosslayer(["train", "--out", at("whole"), ...data]);

    const metrics = join(at("stopped"), "metrics.jsonl");
    const whenTraining = async (act: () => void) => {
      while (!(existsSync(metrics) && readFileSync(metrics, "utf8").length > 500)) await pause(20);
      act();
    };
    const first = await crosslayer(["train", "--out", at("stopped"), ...data], (child) => {
      void whenTraining(() => child.kill("SIGINT"));
    });
    expect(first.status).toBe(130);
    expect(first.err).toContain("--resume");
    expect(existsSync(join(at("stopped"), "checkpoint.safetensors"))).toBe(true);
    expect(existsSync(join(at("stopped"), "model.safetensors"))).toBe(false);

    for (let kills = 0; kills < 6; kills++) {
      const wait = 350 + Math.random() * 500;
      const killed = await crosslayer(["train", "--out", at("stopped"), "--resume"], (child) => {
        setTimeout(() => child.kill("SIGKILL"), wait);
      });
      if (killed.status === 0) break;
    }
    if (!existsSync(join(at("stopped"), "model.safetensors"))) {
      const last = await crosslayer(["train", "--out", at("stopped"), "--resume"]);
      expect([last.status, last.err.includes("error")]).toEqual([0, false]);
    }
    expect(weightsOf("stopped")).toBe(weightsOf("whole"));
    expect(readdirSync(at("stopped")).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    const done = await crosslayer(["train", "--out", at("stopped"), "--resume"]);
    expect([done.status, done.err]).toEqual([1, expect.stringContaining("this run is finished")]);
  });
});

describe("a user's mistakes", () => {
  const mistakes: [string[], number, RegExp][] = [
    [["inspet"], 2, /unknown command 'inspet'\s+\(Did you mean inspect\?\)/],
    [["train", "--out", "x", "--dat", "sotu"], 2, /unknown option '--dat'\s+\(Did you mean --data\?\)/],
    [["train", "--data", "sotu"], 2, /required option '--out <directory>' not specified/],
    [["train", "--out", "x"], 1, /--data is missing/],
    [["train", "--data", "none.txt", "--out", "x"], 1, /none\.txt/],
    [["train", "--data", "sotu", "--out", "x", "--steps", "0"], 2, /--steps <count>.*whole number/],
    [
      ["train", "--data", "sotu", "--out", "x", "--model", "H64-MQA-CLA9"],
      1,
      /whole number from 1 to the 4 layers, found 9/,
    ],
    [["train", "--data", "sotu", "--out", "x", "--sharing", "0,2,2,2"], 1, /layer 1 borrows from 2/],
    [["train", "--data", "sotu", "--out", "package.json/x"], 1, /cannot create package\.json\/x/],
    [["study", "--preset", "lr-swep"], 1, /did you mean lr-sweep\?/],
    [["inspect", "H64-MQA", "--scale", "2b"], 1, /--scale: found "2b", expected 1b or 3b/],
    [["inspect", "h64"], 1, /expected H<head dim>-/],
    [["eval", "nowhere"], 1, /nowhere: no run here/],
    [["generate", "nowhere", "x"], 1, /nowhere: no run here/],
    [["tokenizer", "train", "--data", "none.txt"], 1, /none\.txt/],
  ];
  for (const [args, status, message] of mistakes)
    it(`get a clear error: ${args.join(" ")}`, async () => {
      const outcome = await crosslayer(args);
      expect(outcome.err).toMatch(message);
      expect(outcome.status).toBe(status);
      expect(outcome.err).not.toMatch(/\n\s+at /); // a stack
    });
});

describe("crosslayer inspect", () => {
  it("prints one object for a model of the paper", async () => {
    const { out } = await crosslayer(["inspect", "H128-MQA-CLA2", "--scale", "1b", "--json"]);
    expect(JSON.parse(out)).toMatchObject({
      name: "H128-MQA-CLA2",
      kvLayers: 10,
      parameters: { nonEmbedding: 845518848 },
      kvBytesPerToken: { float32: 10240, float16: 5120 },
    });
  });

  it("draws the sharing", async () => {
    const { out } = await crosslayer(["inspect", "H64-MQA", "--depth", "4", "--sharing", "0,0,2,2"]);
    expect(out).toContain("2 of 4 layers keep keys and values: the cache is 50% smaller");
  });
});

describe("crosslayer tokenizer train", () => {
  it("writes a tokenizer.json, and not over one that is there", async () => {
    const args = [
      "tokenizer",
      "train",
      "--data",
      at("text.jsonl"),
      "--field",
      "body",
      "--vocab",
      "280",
      "--out",
      at("t.json"),
    ];
    expect((await crosslayer(args)).out).toContain("280 tokens");
    expect(JSON.parse(readFileSync(at("t.json"), "utf8")).model.type).toBe("BPE");
    expect((await crosslayer(args)).err).toContain("use --force");
  });
});

describe("crosslayer study", () => {
  it("runs a plan from a file, is killed, goes on, and writes everything", async () => {
    const plan = {
      name: "tiny",
      data: { source: at("text.jsonl"), field: "body", vocab: 280, validationFraction: 0.3 },
      family: { layers: 2, width: 16, mlpWidth: 32 },
      context: 16,
      models: ["H8-MQA", "H8-MQA-CLA2"],
      seeds: [1],
      learningRates: [0.01],
      recipe: { steps: 40, batch: 2, checkpointEvery: 5 },
    };
    writeFileSync(at("plan.json"), JSON.stringify(plan));
    const args = ["study", at("plan.json"), "--out", at("study"), "--threads", "1"];
    await crosslayer(args, (child) => setTimeout(() => child.kill("SIGKILL"), 1200));
    const { out, status } = await crosslayer(args);
    expect(status).toBe(0);
    expect(out).toContain("H8-MQA-CLA2");
    const [, last] = out
      .slice(0, out.indexOf("\nWritten: "))
      .trimEnd()
      .split(/\n\n(?!.*\n\n)/s); // what a screen ends with
    expect(last).toMatch(/^.*the same memory holds 2× the tokens of H8-MQA\.\nTest perplexity is .*\.$/);
    const written = ["loss.svg", "memory.svg", "pareto.svg", "report.html", "results.jsonl", "summary.md"];
    expect(readdirSync(at("study"))).toEqual(expect.arrayContaining(written));
    const rows = readFileSync(join(at("study"), "results.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(rows.map(({ name, kvBytesPerToken }) => [name, kvBytesPerToken])).toEqual([
      ["H8-MQA", 128],
      ["H8-MQA-CLA2", 64],
    ]);
    expect(readFileSync(join(at("study"), "report.html"), "utf8")).not.toMatch(/(?:src|href)="http/);
    const again = await crosslayer(args);
    expect(again.err.match(/done before/g)).toHaveLength(2);

    const merged = await crosslayer(["study", "merge", at("study"), "--out", at("merged")]);
    expect(merged.out).toMatch(/results\.jsonl: \d+ runs, \d+ of them new, \d+ with their weights/);
    const trial = readdirSync(join(at("study"), "trials")).find((name) => name.startsWith("H8-MQA-lr")) as string;
    const measured = await crosslayer(["eval", join(at("study"), "trials", trial), "--json"]);
    const { loss, bytes } = JSON.parse(measured.out);
    expect(bytes).toBe(rows[0].dataset.validation.bytes); // the documents that it held out, and no others
    expect(loss).toBeCloseTo(rows[0].validation.loss, 5);
  });
});
