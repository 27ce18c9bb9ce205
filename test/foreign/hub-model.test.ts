// A model on the hub, or what stands in for it: imported from there by ranges, the same as from its folder.

import { readdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { importModel } from "../../src/foreign/import-model.ts";
import { openCheckpoint } from "../../src/foreign/open-checkpoint.ts";
import { scratch } from "../files/scratch.ts";
import { golden, writeFolder } from "./golden/golden.ts";

let server: Server;
let hubUrl: string;
let files: ReadonlyMap<string, Buffer> = new Map();
let largest = 0; // bytes of one answer

beforeAll(async () => {
  server = createServer((request, response) => {
    const { pathname } = new URL(request.url as string, "http://localhost");
    if (pathname.startsWith("/api/models/owner/model/tree/main")) {
      const listing = [...files].map(([path, { length }]) => ({ type: "file", path, size: length, oid: path }));
      response.setHeader("content-type", "application/json");
      return response.end(JSON.stringify([...listing, { type: "file", path: "onnx/model.onnx", size: 1, oid: "x" }]));
    }
    const bytes = files.get(pathname.replace("/owner/model/resolve/main/", ""));
    if (!bytes)
      return response.writeHead(404, { "content-type": "application/json" }).end('{"error":"Entry not found"}');
    response.setHeader("etag", `"${bytes.length}"`);
    const range = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? "");
    const [start, end] = range
      ? [Number(range[1]), Math.min(Number(range[2]), bytes.length - 1)]
      : [0, bytes.length - 1];
    largest = Math.max(largest, end + 1 - start);
    if (range) response.writeHead(206, { "content-range": `bytes ${start}-${end}/${bytes.length}` });
    response.end(bytes.subarray(start, end + 1));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  hubUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

test("a model is read from the hub", async () => {
  const folder = scratch();
  writeFolder(folder, golden("llama3"));
  files = new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));
  const [near, far] = [join(folder, "near"), join(folder, "far")];
  {
    await using checkpoint = await openCheckpoint(folder);
    await importModel(checkpoint, near);
  }
  await using checkpoint = await openCheckpoint("hf:owner/model", { hubUrl });
  expect(checkpoint.title).toBe("model");
  const { run } = await importModel(checkpoint, far);
  expect(run.config.data).toEqual({ imported: "hf:owner/model" });
  const weights = [near, far].map((path) => readFileSync(join(path, "model.safetensors")));
  const data = weights.map((bytes) => bytes.subarray(8 + Number(bytes.readBigUInt64LE(0))));
  expect(data[0]?.equals(data[1] as Buffer)).toBe(true);
  const whole = Math.max(
    ...[...files].filter(([name]) => name.endsWith(".safetensors")).map(([, { length }]) => length),
  );
  expect(largest).toBeLessThan(whole); // no shard came in one piece
});

test("what the hub has not is said", async () => {
  await expect(openCheckpoint("hf:owner/other", { hubUrl })).rejects.toThrow(
    /import: "hf:owner\/other": the hub answered 404/,
  );
  await expect(openCheckpoint("hf:model", { hubUrl })).rejects.toThrow(/a model of the hub is hf:owner\/model/);
});
