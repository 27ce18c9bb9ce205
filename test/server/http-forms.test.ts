// What arrives on the socket: who may ask by which names, clients that half-close or speak HTTP/1.0, and what is no HTTP.

import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Serving, serving } from "./serving.ts";

let it: Serving;
const lines: string[] = [];
beforeAll(async () => {
  it = await serving({
    allowedHosts: ["models.example", ".inside.example"],
    corsOrigins: ["https://app.example"],
    onLog: (line) => lines.push(line),
  });
});
afterAll(() => it[Symbol.asyncDispose]());

const body = (more: object = {}) =>
  JSON.stringify({ model: "shared", prompt: "we the", max_tokens: 4, ignore_eos: true, ...more });

/** Sends bytes, closes this half if asked, and gives all that comes until the other half is closed. */
async function sent(bytes: string, { half = false } = {}): Promise<string> {
  const socket = connect({ port: Number(new URL(it.url).port), host: "127.0.0.1", allowHalfOpen: true });
  let answer = "";
  socket.on("data", (data) => {
    answer += data;
  });
  socket.on("error", () => {}); // what was answered before it was cut off counts
  if (half) socket.end(bytes);
  else socket.write(bytes);
  await Promise.race([once(socket, "end"), once(socket, "close")]);
  socket.destroy();
  return answer;
}

function post(text: string, { version = "1.1", headers = ["host: localhost"], length = Buffer.byteLength(text) } = {}) {
  const all = ["content-type: application/json", `content-length: ${length}`, ...headers];
  return `POST /v1/completions HTTP/${version}\r\n${all.join("\r\n")}\r\n\r\n${text}`;
}

const running = () => it.served.get("shared")?.engine?.stats().running;

describe("names", () => {
  const { stringify } = JSON;
  const get = (headers: readonly string[]) =>
    sent(`GET /v1/models HTTP/1.1\r\n${headers.join("\r\n")}\r\nconnection: close\r\n\r\n`);

  test.each([
    ["localhost", 200],
    ["localhost:8000", 200],
    ["LOCALHOST.", 200],
    ["my.localhost", 200],
    ["a..localhost", 403],
    ["127.0.0.1:1", 200],
    ["127.9.9.9", 200],
    ["localhost:", 200],
    ["[::1]:8000", 200],
    ["[0:0:0:0:0:0:0:1]:8000", 200],
    ["[::FFFF:127.0.0.1]", 200],
    ["[::ffff:7f00:1]:8000", 200],
    ["[::ffff:8.8.8.8]", 403],
    ["[::2]", 403],
    ["127.0.0.256", 403],
    ["models.example", 200],
    ["Models.Example:443", 200],
    ["inside.example", 200],
    ["a.b.inside.example:80", 200],
    ["evil.example", 403],
    ["evil.example:8000", 403],
    ["localhost.evil.example", 403],
    ["127.0.0.1.evil.example", 403],
    ["notinside.example", 403],
    ["sub.models.example", 403],
    ["192.168.1.5", 403],
    ["0.0.0.0", 403],
  ])("a host of %s: %i", async (host, status) => {
    const answer = await get([`host: ${host}`]);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    if (status !== 403) return;
    expect(answer).toContain("--allowed-hosts");
    expect(answer).toContain('"code":"host_not_allowed"');
  });

  test.each([
    ["http://localhost:5173", 200],
    ["http://127.0.0.1:8000", 200],
    ["https://app.example", 200],
    ["https://models.example", 200],
    ["http://app.example", 403],
    ["https://app.example.evil.example", 403],
    ["https://evil.example", 403],
    ["null", 403],
    ["file://", 403],
    ["chrome-extension://abcdef", 403],
  ])("an origin of %s: %i", async (origin, status) => {
    const answer = await get(["host: localhost", `origin: ${origin}`]);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    if (status === 403) expect(answer).toContain("--cors-origin");
    const allowed = /^access-control-allow-origin: (.*)$/im.exec(answer)?.[1]?.trim();
    expect(stringify([origin, allowed])).toBe(
      stringify([origin, origin === "https://app.example" ? origin : undefined]),
    );
  });

  test("a host in the request's first line counts as well", async () => {
    const whole = (url: string) => sent(`GET ${url}/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`);
    expect(await whole("http://localhost")).toMatch(/^HTTP\/1.1 200 /);
    expect(await whole("http://evil.example")).toMatch(/^HTTP\/1.1 403 /);
  });

  test("what is no host is refused", async () => {
    for (const host of [
      "::1",
      "[::1",
      "user@localhost",
      "localhost@evil.example",
      "evil.example#localhost",
      "[::1%lo]",
    ]) {
      expect(await get([`host: ${host}`])).toMatch(/^HTTP\/1.1 (400|403) /);
    }
  });

  test("the page, health and metrics are closed to others as well", async () => {
    for (const path of ["/", "/health", "/metrics", "/api/models", "/openapi.json", "/docs", "/detokenize"]) {
      const answer = await sent(`GET ${path} HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n`);
      expect([path, answer.slice(9, 12)]).toEqual([path, "403"]);
    }
  });
});

describe("connections", () => {
  const interim = /^(HTTP\/1\.1 102 Processing\r\n\r\n)*/;

  test("a client that half-closes after its question gets its answer", async () => {
    for (const stream of [false, true]) {
      const answer = await sent(post(body({ stream })), { half: true });
      expect(answer.replace(interim, "")).toMatch(/^HTTP\/1\.1 200 /);
      expect(answer).toContain(stream ? "data: [DONE]" : '"finish_reason":"length"');
    }
  });

  test.each(["1.1", "1.0"])("one that half-closes waits for a long answer, HTTP/%s", async (version) => {
    const answer = await sent(post(body({ max_tokens: 120, n: 8 }), { version }), { half: true });
    expect(answer.replace(version === "1.1" ? interim : "", "")).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).toContain('"completion_tokens":960');
  });

  test.each(["1.1", "1.0"])("one that half-closes and then goes ends its text, HTTP/%s", async (version) => {
    lines.length = 0;
    const socket = connect({ port: Number(new URL(it.url).port), host: "127.0.0.1", allowHalfOpen: true });
    socket.on("error", () => {});
    socket.end(post(body({ max_tokens: 480, n: 64 }), { version }));
    await expect.poll(running, { interval: 2 }).toBeGreaterThan(0);
    socket.destroy();
    await expect.poll(running, { timeout: 60_000 }).toBe(0);
    const ended = lines.map((line) => JSON.parse(line)).findLast(({ msg }) => msg === "completion");
    expect(ended).toMatchObject({ reason: "abort" });
  });

  test("HTTP/1.0 is served, with a host or without", async () => {
    for (const headers of [[], ["host: localhost"]]) {
      const answer = await sent(post(body(), { version: "1.0", headers }));
      expect(answer).toMatch(/^HTTP\/1\.1 200 /);
      expect(answer).toContain('"finish_reason":"length"');
    }
    expect(await sent(post(body(), { version: "1.0", headers: ["host: evil.example"] }))).toMatch(/^HTTP\/1\.1 403 /);
    expect(await sent("GET /health HTTP/1.0\r\n\r\n")).toContain('{"status":"ok"}');
  });

  test.each([
    ["a chunk of no size", "zz\r\n{}\r\n0\r\n\r\n"],
    ["a chunk longer than it says", "1\r\n{}}}}\r\n0\r\n\r\n"],
    ["a negative size", "-5\r\n{}\r\n0\r\n\r\n"],
  ])("malformed chunks are the client's mistake: %s", async (_, chunks) => {
    lines.length = 0;
    const head = "POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    const answer = await sent(`${head}transfer-encoding: chunked\r\n\r\n${chunks}`);
    expect(answer === "" || /^HTTP\/1\.1 400 /.test(answer)).toBe(true);
    await expect.poll(() => lines.join("")).toContain('"status":400');
    expect(lines.map((line) => JSON.parse(line)).filter(({ level }) => level >= 50)).toEqual([]);
  });

  test.each([
    ["nonsense", "hello\r\n\r\n", 400],
    ["a header with a space", "GET / HTTP/1.1\r\nhost : x\r\n\r\n", 400],
    ["two lengths", post("{}", { headers: ["host: localhost", "content-length: 5"] }), 400],
    ["length and chunks", post("{}", { headers: ["host: localhost", "transfer-encoding: chunked"] }), 400],
    ["no host", "GET /health HTTP/1.1\r\n\r\n", 400],
    ["large headers", `GET /health HTTP/1.1\r\nhost: localhost\r\nx: ${"x".repeat(40_000)}\r\n\r\n`, 431],
  ])("what is no HTTP is told so: %s", async (_, bytes, status) => {
    expect(await sent(bytes)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  test.each([
    "[::ffff:1:127.0.0.1.1]",
    "localhost:99999",
    "localhost:abc",
    "user@localhost",
    "localhost/x",
    "x#localhost",
  ])("a host that is none is told so: %s", async (host) => {
    const answer = await sent(`GET /health HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*"is no request: /);
  });

  test.each([
    ["content-encoding: gzip", 415],
    ["content-encoding: identity", 200],
    ["transfer-encoding: gzip, chunked", 400],
  ])("bodies in another coding are refused: %s", async (header, status) => {
    const text = body();
    const isChunked = header.startsWith("transfer");
    const length = isChunked ? [] : [`content-length: ${text.length}`];
    const head = ["host: localhost", "content-type: application/json", "connection: close", header, ...length];
    const sentBody = isChunked ? `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n` : text;
    const answer = await sent(`POST /v1/completions HTTP/1.1\r\n${head.join("\r\n")}\r\n\r\n${sentBody}`);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  test("what is no HTTP after whole requests is answered after them", async () => {
    const answer = await sent(`${post(body())}${post(body())}BAD\r\n\r\n`);
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 400"]);
  });

  test("leave nothing behind", async () => {
    await expect.poll(running, { timeout: 60_000 }).toBe(0);
    expect(it.served.get("shared")?.requests).toBe(0);
  });
});
