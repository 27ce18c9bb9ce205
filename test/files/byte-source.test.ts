// Bytes read in ranges: the same from a disk, a memory, a blob and a web server, and told apart when they are not there.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { InputError } from "../../src/error.ts";
import { type ByteSource, blobFile, bytesInMemory, localFile, openFile } from "../../src/files/byte-source.ts";
import { openUrl } from "../../src/files/url-source.ts";
import { rangeServer } from "./range-server.ts";
import { scratch } from "./scratch.ts";

const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) % 256);

const kinds: Record<string, () => Promise<ByteSource>> = {
  "a file opened at every read": async () => localFile(onDisk(), bytes.length),
  "an open file": () => openFile(onDisk()),
  memory: async () => bytesInMemory("memory", bytes),
  "a blob": async () => blobFile("blob", new Blob([bytes])),
  "a URL": async () => openUrl((await rangeServer(bytes)).url),
};

function onDisk(): string {
  const path = join(scratch(), "bytes");
  writeFileSync(path, bytes);
  return path;
}

describe.each(Object.entries(kinds))("%s", (_, open) => {
  test("gives any range, in memory of its own", async () => {
    const source = await open();
    expect(source.size).toBe(1000);
    for (const [start, end] of [
      [0, 1000],
      [3, 4],
      [999, 1000],
      [5, 5],
      [1000, 1000],
    ] as const) {
      const read = await source.read(start, end);
      expect(new Uint8Array(read)).toEqual(bytes.slice(start, end));
      new Uint8Array(read).fill(0);
    }
    expect(new Uint8Array(await source.read(0, 1000))).toEqual(bytes);
    if (Symbol.asyncDispose in source) await (source as AsyncDisposable)[Symbol.asyncDispose]();
  });

  test("refuses what is past the end", async () => {
    const source = await open();
    const error = await source.read(990, 1001).catch((caught) => caught);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toContain(source.name);
    if (Symbol.asyncDispose in source) await (source as AsyncDisposable)[Symbol.asyncDispose]();
  });
});

test("a directory or nothing is no file", async () => {
  const directory = scratch();
  await expect(openFile(directory)).rejects.toThrow(/not a file/);
  await expect(openFile(join(directory, "none"))).rejects.toThrow(/cannot read .*none: no such file/);
});

describe("a URL", () => {
  test("sends only what is asked for, and an empty file is one", async () => {
    const { url, served } = await rangeServer(bytes);
    const source = await openUrl(url);
    await source.read(100, 150);
    expect(served.sent).toBe(51); // and the byte that asks for the size
    served.bytes = new Uint8Array(0);
    expect((await openUrl(url)).size).toBe(0);
  });

  test("says what is wrong with the server", async () => {
    const { url, served } = await rangeServer(bytes);
    await expect(openUrl(`${url}s`)).rejects.toThrow(/files: the server answered 404/);
    await expect(openUrl("http://127.0.0.1:9/file")).rejects.toThrow(InputError);
    const source = await openUrl(url);
    served.short = 2;
    await expect(source.read(0, 10)).rejects.toThrow(/gave 8 bytes for the 10 from 0/);
    served.short = 0;
    served.etag = '"2"';
    await expect(source.read(0, 10)).rejects.toThrow(/changed while it was read/);
    served.ranges = false;
    await expect(source.read(0, 10)).rejects.toThrow(/gives no ranges/);
  });

  test("an aborted read is no mistake of the user's", async () => {
    const { url } = await rangeServer(bytes);
    const error = await openUrl(url, { signal: AbortSignal.abort() }).catch((caught) => caught);
    expect(error.name).toBe("AbortError");
  });
});
