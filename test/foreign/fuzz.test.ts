// Damaged and hostile files: each is imported or refused as a user's mistake that names the file, in bounded time, and what is
// refused leaves nothing behind.

import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeHeader } from "../../src/checkpoint/safetensors.ts";
import { InputError } from "../../src/error.ts";
import { importModel } from "../../src/foreign/import-model.ts";
import { openCheckpoint } from "../../src/foreign/open-checkpoint.ts";
import { scratch } from "../files/scratch.ts";
import { bytesOf, type Golden, golden, writeFolder } from "./golden/golden.ts";
import { llamaBin, llamaGguf, llamaVocabulary } from "./llama-files.ts";

const llama = golden("llama");
const runs = Number(process.env.FUZZ_RUNS ?? 25);
const mostMs = 5000; // of one file; whole ones take a twentieth of it

/** Imports what is there; true if it was taken. */
async function attempt(path: string, file: string, tokenizer?: string): Promise<boolean> {
  const out = `${path}.run`;
  rmSync(out, { recursive: true, force: true });
  const begun = performance.now();
  try {
    await using checkpoint = await openCheckpoint(path, { tokenizer });
    await importModel(checkpoint, out);
    return true;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    expect(error.message).toContain(file);
    expect(error.message.length).toBeLessThan(2000);
    expect(existsSync(out)).toBe(false);
    return false;
  } finally {
    expect(performance.now() - begun).toBeLessThan(mostMs);
  }
}

/** Bytes with some of them changed, put in, left out, or all after one cut off. */
const damage = fc.oneof(
  fc.record({
    at: fc.nat(),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
    kind: fc.constantFrom("set", "insert", "cut"),
  }),
  fc.record({ at: fc.nat(64), bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }), kind: fc.constant("set") }),
);

function damaged(
  bytes: Buffer,
  { at, bytes: more, kind }: { at: number; bytes: Uint8Array; kind: string },
  within: number,
): Buffer {
  const place = at % within;
  if (kind === "cut") return bytes.subarray(0, place);
  const rest = bytes.subarray(kind === "insert" ? place : place + more.length);
  return Buffer.concat([bytes.subarray(0, place), more, rest]);
}

function safetensorsOf({ tensors }: Golden): { header: number; bytes: Buffer } {
  const header = encodeHeader(tensors.map(([, name, stored, shape]) => ({ name, stored, shape })));
  return {
    header: header.length,
    bytes: Buffer.concat([header, ...tensors.map(([, ...tensor]) => bytesOf(...tensor))]),
  };
}

test("safetensors", async () => {
  const folder = scratch();
  writeFolder(folder, llama);
  const { header, bytes } = safetensorsOf(llama);
  const path = join(folder, "model.safetensors");
  writeFileSync(path, bytes);
  expect(await attempt(folder, folder)).toBe(true);
  await fc.assert(
    fc.asyncProperty(damage, async (how) => {
      writeFileSync(path, damaged(bytes, how, header));
      await attempt(folder, folder);
    }),
    { numRuns: runs },
  );
});

test("GGUF", async () => {
  const path = join(scratch(), "llama.gguf");
  const bytes = llamaGguf(llama, (numbers) => ({ type: 0, bytes: new Uint8Array(numbers.buffer) }));
  writeFileSync(path, bytes);
  expect(await attempt(path, path)).toBe(true);
  await fc.assert(
    fc.asyncProperty(damage, async (how) => {
      writeFileSync(path, damaged(bytes, how, 12_000)); // the header, and a little more
      await attempt(path, path);
    }),
    { numRuns: runs },
  );
});

test("llama2.c's model and vocabulary", async () => {
  const path = join(scratch(), "llama.bin");
  const [bytes, vocabulary] = [llamaBin(llama), llamaVocabulary()];
  await fc.assert(
    fc.asyncProperty(damage, fc.boolean(), async (how, isVocabulary) => {
      writeFileSync(path, isVocabulary ? bytes : damaged(bytes, how, 64));
      writeFileSync(`${path}.tok`, isVocabulary ? damaged(vocabulary, how, vocabulary.length) : vocabulary);
      await attempt(path, path, `${path}.tok`);
    }),
    { numRuns: runs },
  );
});

test.each(["llama", "smollm3", "hunyuan-cla", "crosslayer-2025", "phi3-long"])("config.json of %s", async (name) => {
  const folder = scratch();
  const made = golden(name);
  writeFolder(folder, made);
  const hostile = fc.oneof(
    fc.constantFrom<unknown>(
      0,
      -1,
      1e9,
      2 ** 53,
      1e308,
      Number.NaN,
      "",
      "4",
      true,
      null,
      [],
      {},
      [1],
      "__proto__",
      0.5,
      3,
    ),
    fc.jsonValue(),
  );
  const keys = Object.keys(made.config);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...keys, "sharing_pattern", "layer_types", "rope_scaling", "use_cla"),
      hostile,
      async (key, value) => {
        writeFileSync(join(folder, "config.json"), JSON.stringify({ ...made.config, [key]: value }));
        await attempt(folder, folder);
      },
    ),
    { numRuns: runs },
  );
});
