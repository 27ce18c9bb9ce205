import { appendFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadTokenizer, namedModel, RunDirectory, type Tensor, trainBpe } from "crosslayer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lively } from "../model/tiny.ts";
import { crosslayer } from "./command.ts";

const scratch = mkdtempSync(join(tmpdir(), "crosslayer-generate-"));
afterAll(() => rmSync(scratch, { recursive: true }));
const at = (name: string) => join(scratch, name);

beforeAll(async () => {
  const { json, vocab } = trainBpe(["we the people of the united states ".repeat(30)], { vocab: 280 });
  const model = namedModel("H16-MQA-CLA2", { layers: 2, width: 32, mlpWidth: 64, vocab, context: 64 });
  const run = await RunDirectory.create(at("run"), { name: "small", model, recipe: {}, data: {} }, json);
  await run.saveModel(lively(model, 2));
});

const generate = (...args: string[]) => crosslayer(["generate", at("run"), ...args, "--threads", "1"]);
const rows = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .sort((a, b) => a.index - b.index);

describe("crosslayer generate --file", () => {
  it("writes a row for every prompt, the same as one at a time", async () => {
    const prompts = [{ prompt: "we" }, { prompt: "the people", maxTokens: 3, n: 2 }, { prompt: "of", seed: 4 }];
    writeFileSync(at("prompts.jsonl"), `${prompts.map((row) => JSON.stringify(row)).join("\n")}\n\n`);
    const { status, out, err } = await generate("--file", at("prompts.jsonl"), "--max-tokens", "6");
    expect(err).toMatch(/prompts 3\/3/);
    expect(status).toBe(0);
    const found = rows(out);
    expect(found.map(({ index, prompt, texts }) => [index, prompt, texts.length])).toEqual([
      [0, "we", 1],
      [1, "the people", 2],
      [2, "of", 1],
    ]);
    const alone = await generate("of", "--seed", "4", "--max-tokens", "6");
    expect(alone.out).toBe(`of${found[2].texts[0].text}\n`);
  });

  it("goes on where an earlier run was killed", async () => {
    writeFileSync(at("many.jsonl"), `${Array.from({ length: 6 }, () => '{"prompt":"we"}').join("\n")}\n`);
    const kept = '{"index":2,"prompt":"we","texts":[{"text":"kept"}]}\n';
    writeFileSync(at("out.jsonl"), kept);
    appendFileSync(at("out.jsonl"), '{"index":3,"pro'); // a line that a kill left unfinished
    const { status, err } = await generate("--file", at("many.jsonl"), "--max-tokens", "2", "--out", at("out.jsonl"));
    expect(err).toContain("1 of 6 prompts are done already");
    expect(status).toBe(0);
    const text = readFileSync(at("out.jsonl"), "utf8");
    expect(text.startsWith(kept)).toBe(true);
    expect(rows(text).map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("gives refused prompts a row of their own and fails at the end", async () => {
    writeFileSync(at("mixed.jsonl"), '{"prompt":"we","maxTokens":100}\n{"prompt":"we","maxTokens":2}\n');
    const { status, out, err } = await generate("--file", at("mixed.jsonl"));
    const [refused, written] = rows(out) as [{ error: string }, { texts: { tokens: number }[] }];
    expect(refused.error).toMatch(/context of 64 must hold 100 more/);
    expect(written.texts[0]?.tokens).toBe(2);
    expect([status, err]).toEqual([1, expect.stringContaining("1 of the prompts were refused")]);
  });

  it("gives a prompt whose logits are unusable a row of its own", async () => {
    const { json, vocab } = trainBpe(["we the people of the united states ".repeat(30)], { vocab: 280 });
    const sizes = { layers: 2, width: 32, mlpWidth: 64, vocab, context: 64 };
    const model = { ...namedModel("H16-MQA-CLA2", sizes), tiedEmbeddings: false };
    const run = await RunDirectory.create(at("torn"), { name: "torn", model, recipe: {}, data: {} }, json);
    const weights = lively(model, 2);
    const { shape, data } = weights.embed as Tensor<"float32">;
    const z = loadTokenizer(json).encode("z")[0] as number; // in no text that was trained on
    data.fill(Number.NaN, z * (shape[1] as number), (z + 1) * (shape[1] as number));
    await run.saveModel(weights);
    writeFileSync(at("torn.jsonl"), ["we", "z", "of"].map((prompt) => `${JSON.stringify({ prompt })}\n`).join(""));
    const { status, out, err } = await crosslayer([
      "generate",
      at("torn"),
      "--file",
      at("torn.jsonl"),
      "--max-tokens",
      "2",
      "--threads",
      "1",
      "--top-k",
      "1",
    ]);
    const [we, torn, of] = rows(out);
    expect(torn.error).toMatch(/logits: .* NaN/);
    expect([we, of].map(({ texts }) => texts[0].tokens)).toEqual([2, 2]);
    expect([status, err]).toEqual([1, expect.stringContaining("1 of the prompts were refused or failed")]);
  });

  it("names what is wrong in its files before a model is loaded", async () => {
    writeFileSync(at("bad.jsonl"), '{"prompt":"we"}\n{"prompt":7}\n');
    expect((await generate("--file", at("bad.jsonl"))).err).toMatch(/bad\.jsonl, line 2: prompt: /);
    writeFileSync(at("worse.jsonl"), "we the people\n");
    expect((await generate("--file", at("worse.jsonl"))).err).toMatch(/line 1: is no JSON/);
    expect((await generate("--file", at("none.jsonl"))).err).toMatch(/cannot be read/);
    writeFileSync(at("empty.jsonl"), "\n");
    expect((await generate("--file", at("empty.jsonl"))).err).toMatch(/has no prompts/);
    expect((await generate("we", "--file", at("bad.jsonl"))).err).toMatch(/one of a prompt, --prompt and --file/);
    writeFileSync(at("foreign.jsonl"), "a diary\n");
    const into = await generate("--file", at("mixed.jsonl"), "--out", at("foreign.jsonl"));
    expect(into.err).toMatch(/foreign\.jsonl, line 1 is no row of an earlier run/);
    expect(readFileSync(at("foreign.jsonl"), "utf8")).toBe("a diary\n");
    writeFileSync(at("one.jsonl"), '{"prompt":"we"}\n');
    symlinkSync(at("one.jsonl"), at("link.jsonl"));
    for (const out of [at("one.jsonl"), at("./link.jsonl")]) {
      const { err, status } = await generate("--file", at("one.jsonl"), "--out", out);
      expect(err).toMatch(/--out .* is --file's own file, which would be lost; choose another/);
      expect(status).toBe(1);
    }
    expect(readFileSync(at("one.jsonl"), "utf8")).toBe('{"prompt":"we"}\n');
    writeFileSync(at("other.jsonl"), '{"index":0,"prompt":"the","texts":[]}\n');
    const mixedUp = await generate("--file", at("one.jsonl"), "--out", at("other.jsonl"));
    expect(mixedUp.err).toMatch(/has texts of another file: line 1 was "the", is "we"/);
    expect((await generate("--file", at("one.jsonl"), "--out", scratch)).err).toMatch(
      /--out: .* cannot be written: EISDIR/,
    );
    const full = await generate("--file", at("one.jsonl"), "--max-tokens", "1", "--out", "/dev/full");
    if (full.err.includes("/dev/full")) expect([full.err, full.status]).toEqual([expect.stringMatching(/ENOSPC/), 1]);
  });
});

describe("crosslayer generate", () => {
  it("takes every option of sampling and of the engine", async () => {
    const { status, out, err } = await generate(
      ...["--prompt", "we", "--n", "2", "--max-tokens", "4", "--top-k", "20", "--min-p", "0.01", "--logprobs", "1"],
      ...["--repetition-penalty", "1.2", "--presence-penalty", "0.5", "--frequency-penalty", "0.5", "--stop", "zzz"],
      ...["--kv-memory", "1MB", "--kv-dtype", "int8", "--weights", "int4", "--context", "128", "--rope-scaling", "ntk"],
    );
    expect(err).toMatch(/KV cache .* of int8 for [\d,]+ tokens/);
    expect(out).toMatch(/^\[0\] we.*\n\[1\] we/s);
    expect(status).toBe(0);
  });

  it("writes JSON of a schema", async () => {
    writeFileSync(at("schema.json"), '{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}');
    const { out, status } = await generate("--json-schema", at("schema.json"), "--temperature", "1.5");
    expect([typeof JSON.parse(out).n, status]).toEqual(["number", 0]);
    expect((await generate("--json-schema", at("none.json"))).err).toMatch(/--json-schema: .* cannot be read/);
  });

  it("refuses what cannot be, in a line", async () => {
    for (const [args, message] of [
      [["we", "--max-tokens", "100"], /context of 64 must hold 100 more \(--max-tokens\)/],
      [["we", "--kv-memory", "12"], /KV memory: 12 bytes do not hold one block/],
      [["we", "--kv-memory", "much"], /memory: found "much"/],
      [["we", "--context", "128"], /give ropeScaling "linear" or "ntk"/],
      [["we", "--out", "x"], /--out needs --file/],
    ] as const) {
      const { status, err } = await generate(...args);
      expect(err).toMatch(message);
      expect(err).not.toMatch(/at .*\.js:/);
      expect(status).toBe(1);
    }
  });
});

describe("crosslayer bench", () => {
  it("prints one object with capacity, decoding and JavaScript's share", async () => {
    const { status, out } = await crosslayer(["bench", "--quick", "--json", "--batches", "1,2", "--contexts", "128"]);
    expect(status).toBe(0);
    const { capacity, decode, hostShare } = JSON.parse(out);
    const tokens = (name: string, kvDtype: string) =>
      capacity.find((row: { name: string; kvDtype: string }) => row.name === name && row.kvDtype === kvDtype).tokens;
    expect(tokens("H64-MQA-CLA2", "float32")).toBe(2 * tokens("H64-MQA", "float32"));
    expect(tokens("H64-MQA-CLA4", "float32")).toBe(4 * tokens("H64-MQA", "float32"));
    expect(tokens("H64-MQA", "int8") / tokens("H64-MQA", "float32")).toBeGreaterThan(3.8);
    expect(decode).toHaveLength(12);
    for (const { tokensPerSecond } of decode) expect(tokensPerSecond).toBeGreaterThan(0);
    expect(hostShare).toBeGreaterThan(0);
    expect(hostShare).toBeLessThan(1);
  });

  it("writes tables and pictures", async () => {
    const options = ["--models", "H64-MQA-CLA2", "--batches", "1,2", "--contexts", "64,128", "--out", at("bench")];
    const { status, out } = await crosslayer(["bench", "--quick", ...options]);
    expect(status).toBe(0);
    expect(out).toMatch(/Capacity of 61\.04 MiB[\s\S]*Decoding[\s\S]*First token[\s\S]*JavaScript's part/);
    for (const name of ["capacity.svg", "batch.svg", "context.svg"]) {
      expect(readFileSync(join(at("bench"), name), "utf8")).toMatch(/^<svg[\s\S]*H64-MQA-CLA2 int8/);
    }
    expect(readFileSync(join(at("bench"), "inference.md"), "utf8")).toContain("| H64-MQA-CLA2 | float32 |");
  });

  it("refuses what it does not know", async () => {
    expect((await crosslayer(["bench", "--models", "H65-MQA"])).err).toMatch(/head dim 65 does not divide width 512/);
    expect((await crosslayer(["bench", "--kv-dtypes", "int2"])).err).toMatch(/--kv-dtypes: found "int2"/);
    expect((await crosslayer(["bench", "--batches", "x"])).err).toMatch(/--batches: found "x"/);
  });
});
