import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { InputError } from "../../src/error.ts";
import { Batches } from "../../src/text/batches.ts";
import { trainBpe } from "../../src/text/bpe-training.ts";
import { prepareDataset, trainTokenizer } from "../../src/text/dataset.ts";
import { openSource, type Source } from "../../src/text/source.ts";
import { isHeldOut, splitPoint } from "../../src/text/split.ts";
import { loadTokenizer } from "../../src/text/tokenizer.ts";
import { openTokenizer } from "../../src/text/tokenizer-file.ts";
import { countBytes, countWords } from "../../src/text/word-count.ts";

const root = mkdtempSync(join(tmpdir(), "dataset-"));
afterAll(() => rmSync(root, { recursive: true }));
let directories = 0;
const directoryOf = () => join(root, String(directories++));

const documents = Array.from({ length: 40 }, (_, i) => `Document ${i}, été ${"of words ".repeat(i % 7)}`);
const sourceOf = (texts: readonly string[], name = "memory") => {
  const source = {
    name,
    reads: 0,
    async *documents() {
      source.reads++;
      yield* texts;
    },
  };
  return source satisfies Source;
};
const tokenizer = trainBpe(documents, { vocab: 280 });

describe("prepareDataset", () => {
  it("makes kept shards again where they are those of other sides", async () => {
    const options = { source: sourceOf(documents), tokenizer, directory: directoryOf(), validationFraction: 0.3 };
    const digests = async () => {
      using dataset = await prepareDataset(options);
      return [dataset.train.digest, dataset.validation.digest];
    };
    const before = await digests();
    const [train, validation] = ["train.shard", "validation.shard"].map((end) =>
      join(options.directory, readdirSync(options.directory).find((name) => name.endsWith(end)) as string),
    ) as [string, string];
    const bytes = readFileSync(train);
    writeFileSync(train, readFileSync(validation));
    writeFileSync(validation, bytes);
    expect(await digests()).toEqual(before);
    expect(options.source.reads).toBe(2);
  });

  it("has every document on its side, after an end of text", async () => {
    using dataset = await prepareDataset({
      source: sourceOf(documents),
      tokenizer,
      directory: directoryOf(),
      validationFraction: 0.3,
    });
    for (const [side, held] of [
      ["train", false],
      ["validation", true],
    ] as const) {
      const expected = documents.filter((document) => isHeldOut(document, 0.3) === held);
      const shard = dataset[side];
      expect(shard.documents).toBe(expected.length);
      for (const [i, document] of expected.entries()) {
        const { tokens, bytes, words } = shard.document(i);
        expect([...tokens]).toEqual([tokenizer.endOfText, ...tokenizer.encode(document)]);
        expect({ bytes, words }).toEqual({ bytes: countBytes(document), words: countWords(document) });
      }
      expect(tokenizer.decode(shard.read(0, shard.tokens))).toBe(
        expected.map((document) => `<|endoftext|>${document}`).join(""),
      );
      expect(shard.vocab).toBe(280);
    }
    const { tokens } = new Batches(dataset.train, { batch: 2, context: 8, seed: 0 }).next();
    expect(tokens.shape).toEqual([2, 9]);
  });

  it("does the work once, and again for another source, tokenizer or fraction", async () => {
    const directory = directoryOf();
    const source = sourceOf(documents);
    const prepare = async (change: object = {}) => {
      using dataset = await prepareDataset({ source, tokenizer, directory, validationFraction: 0.3, ...change });
      return dataset.train.path;
    };
    const first = await prepare();
    expect(await prepare()).toBe(first);
    expect(source.reads).toBe(1);
    const others = [
      await prepare({ source: sourceOf(documents, "other") }),
      await prepare({ source: { ...source, fingerprint: async () => "changed" } }),
      await prepare({ tokenizer: trainBpe(documents, { vocab: 270 }) }),
      await prepare({ validationFraction: 0.31 }),
    ];
    expect(new Set([first, ...others]).size).toBe(5);
    expect(readdirSync(directory).filter((name) => name.endsWith(".shard"))).toHaveLength(10);
  });

  it("makes again what is damaged or half there", async () => {
    const directory = directoryOf();
    const source = sourceOf(documents);
    const prepare = async () => {
      using dataset = await prepareDataset({ source, tokenizer, directory, validationFraction: 0.3 });
      return [dataset.train.path, dataset.validation.path] as const;
    };
    const [train, validation] = await prepare();
    const whole = readFileSync(train);
    writeFileSync(train, whole.subarray(0, 200));
    await prepare();
    expect(readFileSync(train)).toEqual(whole);
    rmSync(validation);
    await prepare();
    expect(statSync(validation).size).toBeGreaterThan(100);
    expect(source.reads).toBe(3);
  });

  it("knows a file that changed", async () => {
    const path = join(root, "changing.jsonl");
    const directory = directoryOf();
    const write = (texts: string[]) =>
      writeFileSync(path, texts.map((text) => `${JSON.stringify({ text })}\n`).join(""));
    const count = async () => {
      using dataset = await prepareDataset({ source: openSource(path), tokenizer, directory, validationFraction: 0.3 });
      return dataset.train.documents + dataset.validation.documents;
    };
    write(documents);
    expect(await count()).toBe(40);
    write(documents.slice(0, 30));
    expect(await count()).toBe(30);
  });

  it("refuses a fraction that leaves a side empty, says which would do, and leaves nothing behind", async () => {
    const directory = directoryOf();
    const least = Math.min(...documents.map(splitPoint));
    const options = { source: sourceOf(documents), tokenizer, directory };
    const prepared = prepareDataset({ ...options, validationFraction: least / 2 });
    await expect(prepared).rejects.toThrow(InputError);
    await expect(prepared).rejects.toThrow(/leaves none of 40 documents for validation; use one from/);
    await expect(prepareDataset({ ...options, validationFraction: 1 })).rejects.toThrow(/for training/);
    await expect(prepareDataset({ ...options, validationFraction: 2 })).rejects.toThrow(/from 0 to 1/);
    expect(readdirSync(directory)).toEqual([]);
  });

  it("leaves nothing behind when the source fails, and reports progress", async () => {
    const directory = directoryOf();
    const seen: number[] = [];
    const failing: Source = {
      name: "failing",
      async *documents() {
        yield* documents;
        throw new Error("the source failed");
      },
    };
    const onProgress = (progress: { documents: number }) => seen.push(progress.documents);
    await expect(prepareDataset({ source: failing, tokenizer, directory, onProgress })).rejects.toThrow(
      "the source failed",
    );
    expect(readdirSync(directory)).toEqual([]);
    expect(seen).toEqual(documents.map((_, i) => i + 1));
  });
});

describe("trainTokenizer", () => {
  it("sees the training side only, and writes a tokenizer.json", async () => {
    const path = join(directoryOf(), "tokenizer.json");
    const trained = await trainTokenizer({ source: sourceOf(documents), vocab: 280, path, validationFraction: 0.3 });
    const train = documents.filter((document) => !isHeldOut(document, 0.3));
    expect(trained.json).toEqual(trainBpe(train, { vocab: 280 }).json);
    expect((await openTokenizer(path)).json).toEqual(trained.json);
    expect(loadTokenizer(JSON.parse(readFileSync(path, "utf8"))).encode("été")).toEqual(trained.encode("été"));
  });

  it("refuses what prepareDataset would, and files that are no tokenizer", async () => {
    const training = trainTokenizer({ source: sourceOf(["one"]), vocab: 258 });
    await expect(training).rejects.toThrow(/at least two different documents/);
    await expect(openTokenizer(join(root, "none.json"))).rejects.toThrow(InputError);
    const path = join(root, "wrong.json");
    writeFileSync(path, "{");
    await expect(openTokenizer(path)).rejects.toThrow(/is not JSON/);
  });
});

describe("sotu", () => {
  it("makes a dataset with the default split", async () => {
    const source = openSource("sotu");
    const trained = await trainTokenizer({ source, vocab: 512 });
    using dataset = await prepareDataset({ source, tokenizer: trained, directory: directoryOf() });
    expect(dataset.train.documents + dataset.validation.documents).toBe(233);
    expect(dataset.validation.documents).toBeGreaterThan(3);
    const { tokens, bytes } = dataset.validation.document(0);
    expect(countBytes(trained.decode(tokens.subarray(1)))).toBe(bytes);
  });
});
