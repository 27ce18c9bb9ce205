// Damaged and hostile data files are errors, soon, and never taken in part. `bench/damaged-data.ts` tries many more.

import { gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, test } from "vitest";
import { InputError } from "../../src/error.ts";
import { bytesInMemory } from "../../src/files/byte-source.ts";
import { Random } from "../../src/tensor/random.ts";
import { parquetRows } from "../../src/text/parquet.ts";
import { damaged, growingTexts, nothingBut, readAll, wholeFiles } from "./damaged.ts";

const tries = 250;

describe.each(Object.entries(wholeFiles))("%s", (_, { bytes, name, count }) => {
  test("is read whole", async () => {
    expect(await readAll(name, bytes)).toBe(count);
  });

  test(`damaged ${tries} times is refused or read whole`, async () => {
    const random = new Random(2);
    let refused = 0;
    for (let i = 0; i < tries; i++) {
      const found = await readAll(name, damaged(bytes, random));
      if (found instanceof InputError) refused++;
      else if (name.endsWith(".parquet")) expect(found).toBe(count);
    }
    expect(refused).toBeGreaterThan(tries / 10);
  });

  test("cut off anywhere is refused, or is lines", async () => {
    for (let length = 1; length < bytes.length; length += 13) {
      const found = await readAll(name, bytes.slice(0, length));
      const isLines = name.endsWith(".jsonl") && [bytes[length - 1], bytes[length]].includes(0x0a);
      if (!isLines) expect(found, `${length} bytes`).toBeInstanceOf(InputError);
    }
  });
});

describe("a file that claims too much", () => {
  /** A whole file with the first place of `from` replaced. */
  const with_ = (kind: string, from: readonly number[], to: readonly number[]) => {
    const { bytes } = wholeFiles[kind] as { bytes: Uint8Array };
    const at = Buffer.from(bytes).indexOf(Buffer.from(from));
    expect(at).toBeGreaterThan(0);
    return Buffer.concat([bytes.subarray(0, at), Buffer.from(to), bytes.subarray(at + from.length)]);
  };

  test("in a compressed page is refused by what it is said to hold", async () => {
    const { bytes } = wholeFiles["parquet, gzip"] as { bytes: Uint8Array };
    const at = Buffer.from(bytes).lastIndexOf(Buffer.of(0x1f, 0x8b));
    const bomb = gzipSync(Buffer.alloc(1 << 22));
    const file = Buffer.concat([
      bytes.subarray(0, at),
      bomb.subarray(0, bytes.length - at - 400),
      bytes.subarray(bytes.length - 400),
    ]);
    expect(await readAll("a.parquet", file)).toBeInstanceOf(InputError);
  });

  test("of a list in its metadata is refused in a few seconds", async () => {
    // A list of 2³¹ elements that take no bytes is what no reader must begin to fill.
    const metadata = Buffer.of(0x15, 0x02, 0x19, 0xf1, 0xff, 0xff, 0xff, 0xff, 0x07);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(metadata.length);
    const file = Buffer.concat([Buffer.from("PAR1"), metadata, length, Buffer.from("PAR1")]);
    expect(await readAll("a.parquet", file)).toBeInstanceOf(InputError);
  });

  test("of bytes beyond its end is refused", async () => {
    const { bytes } = wholeFiles["parquet, uncompressed"] as { bytes: Uint8Array };
    const file = Buffer.from(bytes);
    file.writeUInt32LE(0xfffffff0, file.length - 8);
    expect(((await readAll("a.parquet", file)) as InputError).message).toMatch(
      /its metadata would have 4294967280 bytes/,
    );
  });

  test("of texts that share more than memory holds is refused before they are made", async () => {
    expect(await readAll("a.parquet", growingTexts(1000))).toBe(1000);
    const file = growingTexts(20_000);
    expect(file.length).toBeLessThan(30_000);
    const before = process.memoryUsage().arrayBuffers;
    expect(String(await readAll("a.parquet", file))).toMatch(/claims 200010000 bytes/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 25);
  });

  test("of rows that memory does not hold is refused, of others is read", async () => {
    expect(await readAll("a.parquet", nothingBut(1000))).toBe(1000);
    const message = String(await readAll("a.parquet", nothingBut(2 ** 27)));
    expect(message).toMatch(/in 134217728 values may take more than the \d+ bytes of memory/);
  });

  test("text that is no UTF-8 is refused", async () => {
    const file = with_(
      "parquet, uncompressed",
      [...Buffer.from("Document 1 of \u00e9t\u00e9")],
      [...Buffer.from("Document 1 of \u00e9t"), 0xff, 0xfe],
    );
    expect(await readAll("a.parquet", file)).toBeInstanceOf(InputError);
  });
});

describe("rows with all their columns, as of tasks", () => {
  const lists = new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: "label", data: [1, 0, 1], type: "INT32" },
        { name: "choices", data: [{ text: ["a", "b"] }, { text: [] }, { text: ["été"] }], type: "JSON" },
      ],
    }),
  );
  const files = { ...wholeFiles, "parquet, JSON": { bytes: lists, name: "a.parquet", count: 3 } };
  test.each(Object.entries(files).filter(([, { name }]) => name.endsWith(".parquet")))("%s", async (_, file) => {
    expect(await parquetRows(bytesInMemory("a.parquet", file.bytes))).toHaveLength(file.count);
    const random = new Random(3);
    for (let i = 0; i < 60; i++) {
      const source = bytesInMemory("a.parquet", damaged(file.bytes, random));
      await parquetRows(source).then(
        (rows) => expect(rows).toHaveLength(file.count),
        (error) => expect(error).toBeInstanceOf(InputError),
      );
    }
  });
});
