// Text prepared once: the same by content wherever it is opened, and refused where it is not what was prepared.

import { appendFileSync, cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openCorpus } from "../../src/text/corpus.ts";
import { openPrepared, prepareText } from "../../src/text/prepared.ts";
import { openSource } from "../../src/text/source.ts";
import { scratch } from "../files/scratch.ts";

const words = "the state of our union is strong and we the people shall keep it so for all".split(" ");
const texts = Array.from({ length: 80 }, (_, i) =>
  Array.from({ length: 30 }, (_, j) => words[(i * 7 + j * (1 + (i % 5))) % words.length]).join(" "),
);

function written(directory: string, name: string, documents: readonly string[]) {
  const path = join(directory, name);
  writeFileSync(path, documents.map((text) => JSON.stringify({ text })).join("\n"));
  return openSource(path);
}

async function prepared(directory = scratch()): Promise<string> {
  const out = join(directory, "shards");
  await prepareText({ source: written(directory, "text.jsonl", texts), fraction: 0.15, vocab: 270, directory: out });
  return out;
}

describe("prepared text", () => {
  it("has three sides without a document in common, and all of them", async () => {
    const { data } = await openPrepared(await prepared());
    using _data = data;
    const { train, validation, test } = data;
    const counts = [train, validation, test].map((shard) => shard?.documents ?? 0);
    expect(Math.min(...counts)).toBeGreaterThan(2);
    expect(counts.reduce((sum, count) => sum + count)).toBe(80);
  });

  it("is the same by content where its text lay elsewhere, and another where a word differs", async () => {
    const identity = async (documents: readonly string[]) => {
      const directory = scratch();
      const out = join(directory, "out");
      const source = written(directory, `${Math.random()}.jsonl`, documents);
      await prepareText({ source, fraction: 0.15, vocab: 270, directory: out });
      const { identity, data } = await openCorpus({ source: out, vocab: 1, directory: scratch() });
      data[Symbol.dispose]();
      return identity;
    };
    const first = await identity(texts);
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect(await identity(texts)).toBe(first);
    expect(await identity(texts.with(3, "other words"))).not.toBe(first);
  });

  it("takes held-out text of its own", async () => {
    const directory = scratch();
    const out = join(directory, "out");
    await prepareText({
      source: written(directory, "a.jsonl", texts),
      validation: written(directory, "b.jsonl", texts.slice(0, 5)),
      test: written(directory, "c.jsonl", texts.slice(5, 12)),
      ...{ fraction: 0.1, vocab: 270, directory: out },
    });
    const { data } = await openPrepared(out);
    using _data = data;
    expect([data.train.documents, data.validation.documents, data.test?.documents]).toEqual([80, 5, 7]);
  });

  it("refuses a directory that holds some already", async () => {
    const out = await prepared();
    const again = prepareText({ source: openSource("sotu"), fraction: 0.1, vocab: 300, directory: out });
    await expect(again).rejects.toThrow(/holds prepared text already/);
  });

  it.each([
    ["another tokenizer", "tokenizer.json", (path: string) => appendFileSync(path, " "), /is not the tokenizer/],
    ["a damaged shard", "train.shard", (path: string) => flip(path, 100), /checksum does not match/],
    ["a missing shard", "test.shard", (path: string) => rmSync(path), /no such token shard/],
    ["a damaged manifest", "data.json", (path: string) => writeFileSync(path, "{"), /data\.json: not JSON/],
    ["a manifest of another kind", "data.json", (path: string) => writeFileSync(path, "{}"), /prepare the text again/],
  ])("refuses %s", async (_, file, spoil, message) => {
    const out = await prepared();
    spoil(join(out, file));
    await expect(openPrepared(out)).rejects.toThrow(message);
  });

  it("refuses the shard of another text", async () => {
    const [out, other] = [await prepared(), join(scratch(), "other")];
    const directory = scratch();
    const source = written(directory, "x.jsonl", texts.slice(20));
    await prepareText({ source, fraction: 0.15, vocab: 270, directory: other });
    cpSync(join(other, "train.shard"), join(out, "train.shard"));
    await expect(openPrepared(out)).rejects.toThrow(/is not the shard that was prepared/);
  });
});

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(path, bytes);
}
