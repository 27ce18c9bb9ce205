import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { InputError } from "../../src/error.ts";
import { openShard } from "../../src/text/shard.ts";
import { ShardWriter } from "../../src/text/shard-writer.ts";

const directory = mkdtempSync(join(tmpdir(), "shard-"));
afterAll(() => rmSync(directory, { recursive: true }));
let files = 0;

interface Document {
  tokens: number[];
  bytes: number;
  words: number;
}

function write(vocab: number, documents: readonly Document[]): string {
  const path = join(directory, `${files++}.shard`);
  const writer = new ShardWriter(path, vocab);
  for (const { tokens, bytes, words } of documents) writer.append(tokens, { bytes, words });
  writer.finish();
  return path;
}

const sample: Document[] = [
  { tokens: [0, 5, 6, 7], bytes: 11, words: 2 },
  { tokens: [0, 299], bytes: 3, words: 1 },
  { tokens: [0], bytes: 0, words: 1 },
];

describe("a shard", () => {
  it("gives back what was written", async () => {
    const size = fc.nat(2 ** 32 - 1);
    const documents = (vocab: number) =>
      fc.array(fc.record({ tokens: fc.array(fc.nat(vocab - 1), { maxLength: 9 }), bytes: size, words: size }), {
        maxLength: 9,
      });
    const any = fc
      .constantFrom(1, 300, 65536, 65537, 2 ** 31)
      .chain((vocab) => fc.tuple(fc.constant(vocab), documents(vocab)));
    await fc.assert(
      fc.asyncProperty(any, async ([vocab, written]) => {
        using shard = await openShard(write(vocab, written));
        const tokens = written.flatMap((document) => document.tokens);
        const sum = (of: "bytes" | "words") => written.reduce((total, document) => total + document[of], 0);
        expect(shard).toMatchObject({
          vocab,
          documents: written.length,
          tokens: tokens.length,
          bytes: sum("bytes"),
          words: sum("words"),
        });
        expect(shard.bytesPerToken).toBe(vocab > 65536 ? 4 : 2);
        expect([...shard.read(0, tokens.length)]).toEqual(tokens);
        for (const [i, document] of written.entries()) {
          expect({ ...shard.document(i), tokens: [...shard.document(i).tokens] }).toEqual(document);
        }
        for (let start = 0; start < tokens.length; start++) expect([...shard.read(start, 1)]).toEqual([tokens[start]]);
      }),
      { numRuns: 60 },
    );
  });

  it("throws a RangeError beyond its ends", async () => {
    using shard = await openShard(write(300, sample));
    for (const [start, count] of [
      [-1, 1],
      [0, 8],
      [7, 1],
      [0.5, 1],
      [0, -1],
      [0, Number.NaN],
    ] as const) {
      expect(() => shard.read(start, count), `${start} ${count}`).toThrow(RangeError);
    }
    for (const index of [-1, 3, 0.5]) expect(() => shard.document(index)).toThrow(RangeError);
    expect(shard.read(7, 0)).toHaveLength(0);
  });

  it("refuses any file with a byte changed", async () => {
    const path = write(300, sample);
    const whole = readFileSync(path);
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at] = whole[at]! ^ (1 << (at % 8));
      writeFileSync(path, damaged);
      await expect(openShard(path), `byte ${at}`).rejects.toThrow(InputError);
    }
  });

  it("refuses any file cut short or gone on", async () => {
    const path = write(300, sample);
    const whole = readFileSync(path);
    for (let length = whole.length - 1; length >= 0; length--) {
      truncateSync(path, length);
      await expect(openShard(path), `${length} bytes`).rejects.toThrow(InputError);
    }
    writeFileSync(path, Buffer.concat([whole, Buffer.alloc(1)]));
    await expect(openShard(path)).rejects.toThrow(InputError);
    writeFileSync(path, Buffer.concat([whole, Buffer.alloc(16)]));
    await expect(openShard(path)).rejects.toThrow(InputError);
  });

  it("refuses noise, and says so of a missing file", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (noise) => {
        const path = join(directory, "noise");
        writeFileSync(path, noise);
        await expect(openShard(path)).rejects.toThrow(InputError);
        writeFileSync(path, Buffer.concat([Buffer.from("clashard"), noise]));
        await expect(openShard(path)).rejects.toThrow(InputError);
      }),
    );
    await expect(openShard(join(directory, "none"))).rejects.toThrow(/no such token shard/);
  });
});

describe("ShardWriter", () => {
  it("shows nothing under the shard's name until it is whole", async () => {
    const path = join(directory, "late.shard");
    const writer = new ShardWriter(path, 300);
    writer.append([1, 2], { bytes: 2, words: 1 });
    expect(readdirSync(directory)).not.toContain("late.shard");
    expect([writer.tokens, writer.documents]).toEqual([2, 1]);
    writer.finish();
    writer.abort();
    using shard = await openShard(path);
    expect(shard.tokens).toBe(2);
  });

  it("leaves nothing behind when it gives up", () => {
    const before = readdirSync(directory);
    const writer = new ShardWriter(join(directory, "given-up.shard"), 300);
    writer.append([1], { bytes: 1, words: 1 });
    expect(readdirSync(directory)).toHaveLength(before.length + 1);
    writer.abort();
    expect(readdirSync(directory)).toEqual(before);
  });

  it("refuses tokens outside the vocabulary", () => {
    const writer = new ShardWriter(join(directory, "wrong.shard"), 300);
    for (const id of [300, 65536, -1, 1.5, Number.NaN])
      expect(() => writer.append([id], { bytes: 1, words: 1 })).toThrow(RangeError);
    writer.abort();
  });
});
