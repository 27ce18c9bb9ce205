import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { InputError } from "../../src/error.ts";
import { openSource, type SourceOptions } from "../../src/text/source.ts";
import { collect } from "./collect.ts";

// A hub with one public dataset, `owner/data`, at two revisions, and one that needs a token, `owner/secret`.
const rows = Array.from({ length: 4000 }, (_, i) => `row ${i} ${String(Math.sin(i)).repeat(30)}`);
const parquet = (data: string[]) =>
  new Uint8Array(
    parquetWriteBuffer({ columnData: [{ name: "text", data }], codec: "UNCOMPRESSED", rowGroupSize: 1000 }),
  );
const utf8 = (text: string) => new TextEncoder().encode(text);
const trees: Record<string, Record<string, Uint8Array>> = {
  "owner/data/main": {
    "README.md": utf8("# not read"),
    "train/a.jsonl": utf8('{"text":"one"}\n{"text":"two"}\n'),
    "train/b.txt": utf8("three é"),
    "train-more.txt": utf8("four"),
    "big.parquet": parquet(rows),
  },
  "owner/data/refs/convert/parquet": { "default/0.parquet": parquet(["converted"]) },
  "owner/secret/main": { "a.txt": utf8("secret") },
  "owner/pictures/main": { "cat.png": utf8("png") },
};

let server: Server;
let hubUrl: string;
let requests: { url: string; headers: IncomingMessage["headers"] }[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    const url = new URL(request.url as string, hubUrl);
    const path = decodeURIComponent(url.pathname);
    requests.push({ url: url.pathname, headers: request.headers });
    const fail = (status: number, error: string) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ error }));
    };
    if (path.includes("/secret") && request.headers.authorization !== "Bearer hf_right") return fail(401, "no");
    if (path.includes("/broken")) return fail(500, "broken");
    if (path.startsWith("/api/datasets/")) {
      const [name, where = ""] = path.slice("/api/datasets/".length).split("/tree/");
      const tree = Object.keys(trees).find((key) => `${name}/${where}/`.startsWith(`${key}/`));
      if (!tree) return fail(404, "Revision not found");
      const folder = `${name}/${where}`.slice(tree.length + 1);
      const entries = Object.entries(trees[tree]!).filter(([path]) => path.startsWith(folder));
      const listing = entries.map(([path, bytes]) => ({
        type: "file",
        path,
        size: bytes.length,
        oid: `${bytes.length}-${path}`,
      }));
      const page = Number(url.searchParams.get("page") ?? 0); // two entries a page
      if (2 * page + 2 < listing.length) {
        response.setHeader("link", `<${hubUrl}${url.pathname}?recursive=true&page=${page + 1}>; rel="next"`);
      }
      response.setHeader("content-type", "application/json");
      response.end(
        JSON.stringify([
          { type: "directory", path: "x.txt", size: 0, oid: "d" },
          ...listing.slice(2 * page, 2 * page + 2),
        ]),
      );
      return;
    }
    const [, name, rest = ""] = /^\/datasets\/([^/]+\/[^/]+)\/resolve\/(.+)$/.exec(path) ?? [];
    const tree = Object.keys(trees).find((key) => `${name}/${rest}`.startsWith(`${key}/`));
    const bytes = tree && trees[tree]![`${name}/${rest}`.slice(tree.length + 1)];
    if (!bytes) return fail(404, "Entry not found");
    const range = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? "");
    response.setHeader("etag", `"${bytes.length}"`);
    if (!range) return response.end(bytes);
    const [start, end] = [Number(range[1]), Math.min(Number(range[2]), bytes.length - 1)];
    response
      .writeHead(206, { "content-range": `bytes ${start}-${end}/${bytes.length}` })
      .end(bytes.subarray(start, end + 1));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  hubUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());
afterEach(() => {
  requests = [];
  vi.unstubAllEnvs();
});

const read = (spec: string, options: SourceOptions = {}) =>
  collect(openSource(spec, { hubUrl, ...options }).documents());

describe("a dataset of the hub", () => {
  it("has the documents of its files, by path, over pages of the listing", async () => {
    expect(await read("hf:owner/data")).toEqual([...rows, "four", "one", "two", "three é"]);
  });

  it("has those whose path begins with the prefix", async () => {
    expect(await read("hf:owner/data:train/")).toEqual(["one", "two", "three é"]);
    expect(await read("hf:owner/data:train/b")).toEqual(["three é"]);
    expect(await read("hf:owner/data@main:train")).toEqual(["four", "one", "two", "three é"]);
  });

  it("can be read at a revision with slashes in its name", async () => {
    expect(await read("hf:owner/data@refs/convert/parquet")).toEqual(["converted"]);
  });

  it("reads the row groups that are asked for, not whole files", async () => {
    const documents = openSource("hf:owner/data:big", { hubUrl }).documents()[Symbol.asyncIterator]();
    expect((await documents.next()).value).toBe(rows[0]);
    const ranges = requests.map(({ headers }) => headers.range).filter((range) => range !== undefined);
    expect(requests.filter(({ url }) => url.includes("resolve")).length).toBe(ranges.length);
    const size = trees["owner/data/main"]!["big.parquet"]!.length;
    const ends = ranges.map((range) => Number(/-(\d+)$/.exec(range)![1]));
    const starts = ranges.map((range) => Number(/=(\d+)/.exec(range)![1]));
    const middle = starts.some((start, i) => start < 0.6 * size && ends[i]! > 0.6 * size);
    expect(middle).toBe(false);
  });

  it("has a fingerprint by its files", async () => {
    const of = (spec: string) => openSource(spec, { hubUrl }).fingerprint?.();
    expect(await of("hf:owner/data:train/")).toBe(await of("hf:owner/data@main:train/"));
    expect(await of("hf:owner/data:train/")).not.toBe(await of("hf:owner/data:train"));
  });

  it("is found by HF_ENDPOINT, and its token by HF_TOKEN", async () => {
    vi.stubEnv("HF_ENDPOINT", `${hubUrl}/`);
    vi.stubEnv("HF_TOKEN", "hf_right");
    expect(await collect(openSource("hf:owner/secret").documents())).toEqual(["secret"]);
    expect(requests.every(({ headers }) => headers.authorization === "Bearer hf_right")).toBe(true);
  });

  it("takes a token as an option", async () => {
    expect(await read("hf:owner/secret", { accessToken: "hf_right" })).toEqual(["secret"]);
    vi.stubEnv("HF_TOKEN", "");
    await expect(read("hf:owner/secret")).rejects.toThrow(/the hub answered 401: .*HF_TOKEN/);
    expect(() => openSource("hf:owner/secret", { accessToken: "wrong" })).toThrow(/begins with hf_/);
  });

  it.each([
    ["hf:owner/none", /answered 404: no such dataset, revision \(main\) or path/],
    ["hf:owner/data@v2", /answered 404: no such dataset, revision \(v2\) or path/],
    ["hf:owner/data:nothing", /no file ends in \.txt, \.jsonl, \.parquet/],
    ["hf:owner/pictures", /\(1 others do not\).*@refs\/convert\/parquet/],
  ])("says what is wrong with %s", async (spec, message) => {
    const reading = read(spec);
    await expect(reading).rejects.toThrow(InputError);
    await expect(reading).rejects.toThrow(message);
  });

  it("does not take the hub's mistakes for the user's", async () => {
    const reading = read("hf:owner/broken");
    await expect(reading).rejects.toThrow(/broken/);
    await expect(reading).rejects.not.toThrow(InputError);
  });

  it("stops a request where it is told to", async () => {
    await expect(read("hf:owner/data", { signal: AbortSignal.abort() })).rejects.toThrow(
      expect.objectContaining({ name: "AbortError" }),
    );
    expect(requests).toEqual([]);
  });
});
