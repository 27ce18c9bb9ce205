// GGUF files and llama2.c's models: the same numbers give the same logits as the Hugging Face folder they were made of, and
// their tokenizers the same ids as the programs they are from.

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { RunDirectory } from "../../src/checkpoint/run-directory.ts";
import { openSafetensors } from "../../src/checkpoint/safetensors.ts";
import { EngineCore } from "../../src/engine/core.ts";
import { decode } from "../../src/engine/decode.ts";
import { importModel } from "../../src/foreign/import-model.ts";
import { openCheckpoint } from "../../src/foreign/open-checkpoint.ts";
import { type BlockType, blockTypes, restoreBlocks } from "../../src/tensor/blocks.ts";
import { toBfloat16, toFloat16 } from "../../src/tensor/half.ts";
import { FullForward } from "../engine/full-forward.ts";
import { scratch } from "../files/scratch.ts";
import { cpu1 } from "../runtime/program.ts";
import { nastyStrings } from "../text/strings.ts";
import { type Golden, golden, logitsOf } from "./golden/golden.ts";
import { llama2cIds, llamaBin, llamaGguf, llamaVocabulary } from "./llama-files.ts";

const made = golden("llama");
const floats = (numbers: Float32Array) => ({ type: 0, bytes: new Uint8Array(numbers.buffer) });
const halves = (type: number, narrow: (x: number) => number) => (numbers: Float32Array, shape: readonly number[]) =>
  shape.length === 1 ? floats(numbers) : { type, bytes: new Uint8Array(Uint16Array.from(numbers, narrow).buffer) };

async function imported(path: string, tokenizer?: string): Promise<RunDirectory> {
  await using checkpoint = await openCheckpoint(path, { tokenizer });
  return (await importModel(checkpoint, `${path}.run`)).run;
}

async function worstLogit(
  run: RunDirectory,
  { tokens, positions, ...rest }: Golden,
  model = run.config.model,
): Promise<number> {
  using forward = await FullForward.create(model, (await run.loadModel()).tensors, { length: tokens.length });
  const found = (await forward.run(tokens)).logits as Float32Array[];
  const expected = logitsOf({ tokens, positions, ...rest });
  const differences = positions.flatMap((position, i) =>
    Array.from(found[position] as Float32Array, (x, v) => Math.abs(x - (expected[i * model.vocab + v] as number))),
  );
  return Math.max(...differences);
}

describe("GGUF", () => {
  it.each([
    ["F32", floats, "F32"],
    ["F16", halves(1, toFloat16), "F16"],
    ["BF16", halves(30, toBfloat16), "BF16"],
  ])("in %s gives the same logits, and keeps its type", async (_, encode, stored) => {
    const path = join(scratch(), "llama.gguf");
    writeFileSync(path, llamaGguf(made, encode));
    const run = await imported(path);
    expect(await worstLogit(run, made)).toBeLessThan(1e-4);
    await using file = await openSafetensors(join(run.path, "model.safetensors"));
    expect(file.info("layers.0.attn.q").stored).toBe(stored);
    expect(await run.chatTemplate()).toBe("{{ bos_token }}{{ messages[0].content }}");
    expect(run.loadTokenizer()).toMatchObject({ vocab: 300, prefix: [1], endOfText: 2 });
  });

  it("restores blocks as llama.cpp does, and reads rows of them in our order", async () => {
    const goldens = JSON.parse(readFileSync(join(import.meta.dirname, "blocks/golden/blocks.json"), "utf8"));
    for (const { type, bytes, numbers } of Object.values<{ type: number; bytes: string; numbers: number[] }>(goldens)) {
      const kind = ({ 2: "Q4_0", 3: "Q4_1", 8: "Q8_0" } as const)[type] as BlockType;
      expect(restoreBlocks(kind, Buffer.from(bytes, "base64"))).toEqual(Float32Array.from(numbers));
      // 32 numbers, the same row everywhere
      const first = Uint8Array.from(Buffer.from(bytes, "base64").subarray(0, blockTypes[kind].bytes));
      const path = join(scratch(), "llama.gguf");
      const rows = ([height = 1]: readonly number[]) => Buffer.concat(new Array(height).fill(first));
      const isBlocks = (shape: readonly number[]) => shape.length === 2 && shape[1] === 32;
      writeFileSync(
        path,
        llamaGguf(made, (all, shape) => (isBlocks(shape) ? { type, bytes: rows(shape) } : floats(all))),
      );
      const run = await imported(path);
      const { tensors } = await run.loadModel();
      const weights = tensors["layers.1.attn.k"]?.data as Float32Array;
      expect(weights.subarray(7 * 32, 8 * 32)).toEqual(Float32Array.from(numbers.slice(0, 32)));
      await using file = await openSafetensors(join(run.path, "model.safetensors"));
      expect(file.info("layers.1.attn.k")).toMatchObject({ stored: kind, dtype: "float32", shape: [32, 32] });
    }
  });

  it("scales rotary embedding as rope_freqs.weight says, and ends where a list of tokens says", async () => {
    const path = join(scratch(), "llama.gguf");
    const factors = Float32Array.of(1, 2, 4, 8);
    const tensor = { name: "rope_freqs.weight", shape: [4], ...floats(factors) };
    const metadata = { "tokenizer.ggml.eot_token_id": { u32: 5 } };
    writeFileSync(path, llamaGguf(made, floats, { metadata, tensors: (all) => [...all, tensor] }));
    const run = await imported(path);
    expect(run.config.model.ropeScaling).toMatchObject({ type: "longrope", shortFactors: [1, 2, 4, 8] });
    expect([...run.loadTokenizer().ends]).toEqual([2, 5]);
  });

  it.each([
    [
      "another architecture",
      { "general.architecture": "mamba" },
      /architecture "mamba" cannot be imported; known are llama/,
    ],
    ["a missing number", { "llama.block_count": { u32: 0 } }, /llama\.block_count must be a number above 0/],
    [
      "another pre-tokenizer",
      { "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "x", "tokenizer.ggml.merges": ["a b"] },
      /pre "x" is not known/,
    ],
    ["no tokenizer", { "tokenizer.ggml.tokens": "none" }, /tokenizer\.ggml\.tokens must be a list/],
    ["one file of several", { "split.count": { u32: 3 } }, /is one of 3 files; join them/],
    ["another scaling", { "llama.rope.scaling.type": "mystery" }, /rope\.scaling\.type "mystery" is not known/],
  ] as const)("is refused with %s", async (_, metadata, message) => {
    const path = join(scratch(), "llama.gguf");
    writeFileSync(path, llamaGguf(made, floats, { metadata: metadata as never }));
    await expect(imported(path)).rejects.toThrow(message);
    await expect(imported(path)).rejects.toThrow(path);
  });

  it("is refused with types that are not read, by tensor", async () => {
    const path = join(scratch(), "llama.gguf");
    writeFileSync(
      path,
      llamaGguf(made, (all, shape) => (shape.length === 2 ? { ...floats(all), type: 14 } : floats(all))),
    );
    await expect(imported(path)).rejects.toThrow(/llama\.gguf: tensor ".*" has ggml's type 14; read are F32, F16/);
  });
});

describe("llama2.c", () => {
  it("gives the same logits, ends texts as it does, and the same ids", async () => {
    const path = join(scratch(), "llama.bin");
    writeFileSync(path, llamaBin({ ...made }));
    writeFileSync(`${path}.tok`, llamaVocabulary());
    const run = await imported(path, `${path}.tok`);
    // llama2.c has an epsilon of its own.
    const model = { ...run.config.model, normEpsilon: 1e-6 };
    expect(await worstLogit(run, made, model)).toBeLessThan(1e-4);
    const tokenizer = run.loadTokenizer();
    expect([...tokenizer.ends].sort()).toEqual([1, 2]);
    for (const text of [
      ...nastyStrings.filter((text) => text.length < 400 && !text.includes("▁")),
      "the other one",
      "  in there",
      "héhé",
    ]) {
      const wellFormed = Buffer.from(text).toString();
      expect({ text, ids: [...tokenizer.encode(text)] }).toEqual({ text, ids: llama2cIds(wellFormed) });
    }
  });

  it("is refused without its vocabulary, cut off, or with another's header", async () => {
    const path = join(scratch(), "llama.bin");
    const bytes = llamaBin(made);
    writeFileSync(path, bytes);
    await expect(imported(path)).rejects.toThrow(/vocabulary in another file; give it with --tokenizer/);
    writeFileSync(`${path}.tok`, llamaVocabulary().subarray(0, 1000));
    await expect(imported(path, `${path}.tok`)).rejects.toThrow(/llama\.bin\.tok: (ends at token|token) \d+/);
    writeFileSync(`${path}.tok`, llamaVocabulary());
    writeFileSync(path, bytes.subarray(0, bytes.length - 4));
    await expect(imported(path, `${path}.tok`)).rejects.toThrow(/its header speaks of \d+ bytes, the file has/);
    writeFileSync(path, Buffer.alloc(28, 0x7f));
    await expect(imported(path, `${path}.tok`)).rejects.toThrow(/its header says/);
  });
});

// Weights are no part of this repository: CROSSLAYER_STORIES names a folder with stories260K.bin and tok512.bin.
const stories = process.env.CROSSLAYER_STORIES;

it.skipIf(stories === undefined)(
  "stories260K writes what llama2.c's own test expects (CROSSLAYER_STORIES)",
  async () => {
    const out = join(scratch(), "run");
    await using checkpoint = await openCheckpoint(join(stories as string, "stories260K.bin"), {
      tokenizer: join(stories as string, "tok512.bin"),
    });
    const { run } = await importModel(checkpoint, out);
    const { tensors } = await run.loadModel();
    const tokenizer = run.loadTokenizer();
    using core = await EngineCore.create(cpu1, run.config.model, tensors, { kvMemory: 1 << 22 });
    const asked = {
      prompt: tokenizer.prefix,
      maxTokens: 200,
      sampling: { temperature: 0 },
      stopTokens: [...tokenizer.ends],
    };
    const ids: number[] = [];
    for await (const id of decode(core, asked)) ids.push(id);
    const text = tokenizer.decode(ids);
    expect(text).toMatch(/^ Once upon a time, there was a little girl named Lily\. .* help her mom, so she$/s);
    expect(createHash("sha256").update(text.slice(1)).digest("hex")).toBe(
      "beeb5cb46785efee81a8545300b31e396b595e5ce6f3b77db201545501981d14",
    );
  },
);
