// What happens when clients leave, do not read, are too many, or the server must go: nothing is left behind, nothing breaks.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Serving, serving, writeRuns } from "./serving.ts";

const json = { "content-type": "application/json" };
const long = { model: "shared", prompt: "we the", max_tokens: 480, ignore_eos: true };
const post = (url: string, body: object, init: RequestInit = {}) =>
  fetch(`${url}/v1/completions`, { method: "POST", headers: json, body: JSON.stringify(body), ...init });

/** Waits until nothing runs and every block but the cached ones is free. */
async function quiet({ served }: Serving) {
  const busy = () =>
    served.loaded.some(({ engine, requests }) => {
      const { running, waiting, blocks } = engine.stats();
      return requests + running + waiting + blocks.used > 0;
    });
  await expect.poll(busy).toBe(false);
}

describe("one server", () => {
  let it: Serving;
  const lines: string[] = [];
  beforeAll(async () => {
    it = await serving({
      maxQueue: 6,
      corsOrigins: ["https://app.example"],
      onLog: (line) => lines.push(line),
    });
  });
  afterAll(() => it[Symbol.asyncDispose]());

  test.each([true, false])("a client that leaves ends its text at once (stream: %s)", async (stream) => {
    const leave = new AbortController();
    const asked = post(it.url, { ...long, stream }, { signal: leave.signal });
    const engine = it.served.get("shared")?.engine;
    await expect.poll(() => engine?.stats().running, { interval: 2 }).toBe(1);
    if (stream) await (await asked).body?.getReader().read();
    leave.abort();
    await expect(asked.then((response) => response.text())).rejects.toThrow();
    await quiet(it);
    const ended = lines.map((line) => JSON.parse(line)).findLast(({ msg }) => msg === "completion");
    expect(ended).toMatchObject({ reason: "abort" });
    expect(ended.completionTokens).toBeLessThan(480);
  });

  test("a client that leaves before its stream begins leaves nothing", async () => {
    for (let i = 0; i < 20; i++) {
      const leave = new AbortController();
      const asked = post(it.url, { ...long, stream: true }, { signal: leave.signal });
      setTimeout(() => leave.abort(), i);
      await asked.then((response) => response.text()).catch(() => {});
    }
    await quiet(it);
  });

  test("a client that leaves while it is sending is no failure of the server's", async () => {
    lines.length = 0;
    const socket = connect(Number(new URL(it.url).port), "127.0.0.1");
    await once(socket, "connect");
    socket.write(
      "POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{",
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await expect.poll(() => lines.join("")).toContain('"status":400');
    expect(lines.join("")).not.toContain('"level":50');
  });

  test("too many are told when to come again; those who are in finish", async () => {
    const rejected = async () => {
      const text = await (await fetch(`${it.url}/metrics`)).text();
      return Number(/requests_rejected_total\{model_name="shared"\} (\d+)/.exec(text)?.[1] ?? 0);
    };
    const before = await rejected();
    const answers = await Promise.all(Array.from({ length: 12 }, () => post(it.url, { ...long, max_tokens: 300 })));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(6);
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(6);
    for (const answer of refused) {
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(await answer.json()).toMatchObject({ error: { type: "rate_limit_error", code: "rate_limit_exceeded" } });
    }
    await Promise.all(answers.map((answer) => (answer.bodyUsed ? undefined : answer.text())));
    await quiet(it);
    expect((await rejected()) - before).toBe(6);
  });

  test.each([
    ["messages without anything", "chat/completions", { messages: new Array(1_000_000).fill({}) }],
    [
      "a bias for everything",
      "completions",
      { prompt: "x", logit_bias: Object.fromEntries(new Array(300_000).fill(0).map((_, i) => [`x${i}`, 1])) },
    ],
    ["unknown fields", "completions", Object.fromEntries(new Array(300_000).fill(0).map((_, i) => [`x${i}`, 1]))],
    ["tokens that are none", "completions", { prompt: new Array(1_000_000).fill(-1) }],
    ["prompts that are none", "completions", { prompt: new Array(500_000).fill([]) }],
  ])("large nonsense is refused at once: %s", async (_, path, more) => {
    const body = JSON.stringify({ model: "shared", ...more });
    expect(body.length).toBeLessThan(4 << 20);
    const asked = performance.now();
    const [answer, health] = await Promise.all([
      fetch(`${it.url}/v1/${path}`, { method: "POST", headers: json, body }),
      fetch(`${it.url}/health`),
    ]);
    expect([answer.status, health.status]).toEqual([400, 200]);
    expect((await answer.text()).length).toBeLessThan(1000);
    expect(performance.now() - asked).toBeLessThan(30_000); // it was a minute, while nobody else was served
  });

  test.each([99, 1000, 3000, 10_000])("a schema nested %i deep hurts nobody", async (depth) => {
    const running = post(it.url, { ...long, max_tokens: 60 });
    const schema = `${'{"items":'.repeat(depth)}{}${"}".repeat(depth)}`;
    const format = `{"type":"json_schema","json_schema":{"name":"x","schema":${schema}}}`;
    const body = `{"model":"shared","prompt":"x","max_tokens":1,"response_format":${format}}`;
    const answer = await fetch(`${it.url}/v1/completions`, { method: "POST", headers: json, body });
    expect(answer.status).toBe(400);
    expect((await answer.json()).error.param).toBe("response_format");
    expect((await running).status).toBe(200);
  });

  test("many prompts of one request need no warning", async () => {
    const warnings: Error[] = [];
    const warn = (warning: Error) => warnings.push(warning);
    process.on("warning", warn);
    await using many = await serving({ maxQueue: 128 });
    const answer = await post(many.url, {
      ...long,
      prompt: Array.from({ length: 64 }, (_, i) => `we ${i}`),
      n: 2,
      max_tokens: 3,
    });
    expect((await answer.json()).choices).toHaveLength(128);
    process.off("warning", warn);
    expect(warnings).toEqual([]);
  });

  test("an engine that dies is told of, and comes back", async () => {
    const engine = it.served.get("shared")?.engine;
    const asked = post(it.url, long);
    await expect.poll(() => engine?.stats().running, { interval: 2 }).toBe(1);
    process.kill(engine?.processId as number, "SIGKILL");
    const answer = await asked;
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "2"]);
    await expect.poll(async () => (await post(it.url, { ...long, max_tokens: 2 })).status).toBe(200);
    expect((await post(it.url, { ...long, model: "unshared", max_tokens: 2 })).status).toBe(200);
  });

  test("an engine that is stopped is told of, given up and started anew, though nobody asks again", async () => {
    const health = async () => (await fetch(`${it.url}/health`)).status;
    const engine = it.served.get("shared")?.engine;
    await expect.poll(health).toBe(200);
    const before = engine?.processId as number;
    const asked = post(it.url, long);
    await expect.poll(() => engine?.stats().running, { interval: 2 }).toBe(1);
    process.kill(before, "SIGSTOP");
    await expect.poll(health).toBe(503);
    expect(await (await fetch(`${it.url}/health`)).json()).toEqual({ status: "unhealthy", models: ["shared"] });
    expect((await post(it.url, { ...long, model: "unshared", max_tokens: 2 })).status).toBe(200);
    const answer = await asked;
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "2"]);
    await expect.poll(health).toBe(200);
    expect(engine?.processId).not.toBe(before);
    expect((await post(it.url, { ...long, max_tokens: 2 })).status).toBe(200);
  });

  test("an engine that a signal tells to end goes on for who is being served", async () => {
    const engine = it.served.get("shared")?.engine;
    const before = engine?.processId as number;
    const asked = post(it.url, { ...long, max_tokens: 200 });
    await expect.poll(() => engine?.stats().running, { interval: 2 }).toBe(1);
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.kill(before, signal);
    expect((await (await asked).json()).usage.completion_tokens).toBe(200);
    expect(engine?.processId).toBe(before);
  });

  test("only the pages of configured origins may ask", async () => {
    const ask = (origin: string) =>
      fetch(`${it.url}/v1/completions`, {
        method: "OPTIONS",
        headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type" },
      });
    const allowed = (await ask("https://app.example")).headers.get("access-control-allow-origin");
    expect(allowed).toBe("https://app.example");
    expect((await ask("https://evil.example")).headers.get("access-control-allow-origin")).toBeNull();
  });

  test("a connection that never said anything does not hold up the end", async () => {
    await using quiet = await serving();
    const socket = connect(Number(new URL(quiet.url).port), "127.0.0.1");
    await once(socket, "connect");
    const closed = once(socket, "close");
    expect(await quiet.server.drain(60_000)).toBe(true);
    await closed; // by the server
  });

  test("draining, it takes nothing new and lets what runs finish", async () => {
    const running = post(it.url, { ...long, max_tokens: 200 });
    await expect.poll(() => it.served.get("shared")?.engine?.stats().running, { interval: 2 }).toBe(1);
    const drained = it.server.drain(60_000);
    const refused = await post(it.url, long).then(
      ({ status }) => status,
      () => "no connection",
    );
    expect([503, "no connection"]).toContain(refused);
    const answer = await running;
    expect(answer.status).toBe(200);
    expect((await answer.json()).usage.completion_tokens).toBe(200);
    expect(await drained).toBe(true);
  });
});

test("without origins, no page of another origin may ask", async () => {
  await using it = await serving();
  const answer = await fetch(`${it.url}/v1/models`, { headers: { origin: "https://evil.example" } });
  expect([...answer.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
});

test("a key is needed where one is set, except for health and the page", async () => {
  await using it = await serving({ apiKey: "secret" });
  const status = async (path: string, authorization?: string) =>
    (await fetch(`${it.url}${path}`, authorization === undefined ? {} : { headers: { authorization } })).status;
  for (const path of ["/v1/models", "/api/models", "/api/stats", "/metrics"]) {
    expect([path, await status(path)]).toEqual([path, 401]);
    expect(await status(path, "Bearer wrong")).toBe(401);
    expect(await status(path, "Bearer secret1")).toBe(401);
    expect(await status(path, "secret")).toBe(401);
    expect(await status(path, "Bearer secret")).toBe(200);
  }
  for (const path of ["/", "/health", "/openapi.json", "/docs"])
    expect([path, await status(path)]).toEqual([path, 200]);
});

describe("one memory for several models", () => {
  test("goes where it is needed, and never beyond what was given", async () => {
    const kvMemory = 1_000_000;
    await using it = await serving({ kvMemory, maxQueue: 64 });
    const bytes = () => it.served.loaded.map(({ id, engine }) => [id, engine.stats().kvBytes] as const);
    const sum = () => bytes().reduce((all, [, size]) => all + size, 0);
    expect(bytes().map(([, size]) => size / kvMemory)).toSatisfy((parts: number[]) =>
      parts.every((part) => part > 0.4 && part <= 0.5),
    );
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, sum());
    }, 5);
    const many = (model: string) =>
      Promise.all(
        Array.from({ length: 24 }, (_, i) =>
          post(it.url, { ...long, model, prompt: `we ${i}`, max_tokens: 300, temperature: 0 }),
        ),
      );
    const answers = many("unshared");
    await expect.poll(() => new Map(bytes()).get("unshared"), { interval: 5 }).toBeGreaterThan(0.7 * kvMemory);
    const alone = await (await post(it.url, { ...long, model: "shared", max_tokens: 20, temperature: 0 })).json();
    for (const answer of await answers) expect((await answer.json()).usage.completion_tokens).toBe(300);
    clearInterval(watch);
    expect(most).toBeLessThanOrEqual(kvMemory);
    const again = await (await post(it.url, { ...long, model: "shared", max_tokens: 20, temperature: 0 })).json();
    expect(again.choices[0].text).toBe(alone.choices[0].text);
  });

  test("a sequence that no fair share holds is let in, and stays in", async () => {
    await using it = await serving({ kvMemory: 450_000, maxQueue: 64, waiting: 500 });
    const busy = new AbortController();
    const others = Array.from({ length: 30 }, (_, i) =>
      post(it.url, { ...long, model: "unshared", prompt: `we ${i}`, max_tokens: 300 }, { signal: busy.signal }).catch(
        () => {},
      ),
    );
    const engine = it.served.get("shared")?.engine;
    await expect.poll(() => it.served.get("unshared")?.engine?.stats().waiting).toBeGreaterThan(0);
    const tokens = () => {
      const { blocks, blockSize } = (engine as NonNullable<typeof engine>).stats();
      return blocks.total * blockSize;
    };
    await expect.poll(tokens).toBeLessThan(480); // it does not fit what is the model's now
    const answer = await post(it.url, { ...long, prompt: new Array(450).fill(65), max_tokens: 50 });
    expect((await answer.json()).usage.completion_tokens).toBe(50);
    expect(engine?.stats().preemptions).toBeLessThan(2);
    busy.abort();
    await Promise.all(others);
  });

  test("is not exceeded by an engine that died and comes back", async () => {
    const kvMemory = 1_000_000;
    await using it = await serving({ kvMemory, maxLoaded: 3, study: true });
    const [, unshared, third] = it.served.all;
    const engine = unshared?.engine;
    const killed = engine?.processId as number;
    process.kill(killed, "SIGKILL");
    await expect.poll(() => engine?.processId).not.toBe(killed); // another follows
    expect((await post(it.url, { ...long, model: third?.id, max_tokens: 2 })).status).toBe(200);
    expect((await post(it.url, { ...long, model: "unshared", max_tokens: 2 })).status).toBe(200); // no 503: it was idle
    const sizes = it.served.loaded.map((model) => model.engine.stats().kvBytes);
    expect(sizes).toHaveLength(3);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(kvMemory);
  });

  test("a model that cannot be loaded is no mistake of the caller, who learns no path", async () => {
    const lines: string[] = [];
    await using it = await serving({ study: true, onLog: (line) => lines.push(line) });
    const [, , third] = it.served.all;
    rmSync(join(it.studyDirectory, "trials"), { recursive: true });
    const answer = await post(it.url, { ...long, model: third?.id });
    const { error } = await answer.json();
    expect([answer.status, error.type]).toEqual([503, "server_error"]);
    expect(error.message).toContain("cannot be loaded now");
    expect(error.message).not.toContain("/");
    expect(lines.join("")).toContain("no run here");
    expect((await post(it.url, { ...long, max_tokens: 2 })).status).toBe(200);
  });

  test("a model that is asked first is loaded then, and the idle one makes room", async () => {
    await using it = await serving({ study: true, maxLoaded: 2 });
    const [, , third] = it.served.all;
    expect(it.served.loaded.map(({ id }) => id)).toEqual(["shared", "unshared"]);
    const answer = await post(it.url, { ...long, model: third?.id, max_tokens: 3 });
    expect(answer.status).toBe(200);
    expect(it.served.loaded.map(({ id }) => id)).toEqual(["unshared", third?.id]);
    expect((await post(it.url, { ...long, max_tokens: 3 })).status).toBe(200);
  });
});

describe("the command", () => {
  const cli = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
  const scratch = mkdtempSync(join(tmpdir(), "crosslayer-serve-"));
  beforeAll(() => writeRuns(scratch));
  afterAll(() => rmSync(scratch, { recursive: true }));
  const run = join(scratch, "shared");

  test.each([
    ["SIGTERM", ["SIGTERM", "SIGTERM"]],
    ["Ctrl-C, of which terminals and npm tell", ["SIGINT", "SIGINT"]],
    ["a terminal that closes", ["SIGHUP", "SIGTERM"]],
  ] as const)(
    "serves, says so, and finishes and exits 0 on %s, whoever of its processes is told",
    async (_, signals) => {
      const child = spawn(process.execPath, [cli, "serve", run, "--port", "0", "--kv-memory", "4MB"], {
        detached: true, // a process group of its own, as shells and supervisors give
      });
      try {
        const ended = once(child, "exit");
        let told = "";
        let log = "";
        child.stdout.on("data", (data) => (told += data));
        child.stderr.on("data", (data) => (log += data));
        await expect.poll(() => told).toMatch(/of cache for all/);
        expect(told).toContain("without sharing (2.00×)");
        const url = /http:\/\/127\.0\.0\.1:\d+/.exec(told)?.[0] as string;
        const running = post(url, { ...long, max_tokens: 300 });
        await expect
          .poll(async () => (await (await fetch(`${url}/api/stats`)).json()).models.shared.running, {
            interval: 5,
          })
          .toBe(1);
        for (const signal of signals) process.kill(-(child.pid as number), signal);
        expect((await (await running).json()).usage.completion_tokens).toBe(300);
        expect(await ended).toEqual([0, null]);
        expect(log).toContain('"msg":"completion"');
      } finally {
        child.kill("SIGKILL");
      }
    },
  );

  test("warns where it is open to all, and is asked by the names that it is given", async () => {
    const flags = ["--port", "0", "--kv-memory", "4MB", "--host", "0.0.0.0", "--allowed-hosts", "a.example,b.example"];
    const child = spawn(process.execPath, [cli, "serve", run, ...flags]);
    try {
      const ended = once(child, "exit");
      let told = "";
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (told += data));
      await expect.poll(() => told).toMatch(/of cache for all[\s\S]*warning.*without a key/);
      const port = Number(/:(\d+)/.exec(told)?.[1]);
      const status = (host: string) =>
        new Promise<number | undefined>((resolve, reject) => {
          const asked = request({ port, path: "/version", headers: { host } }, (answer) => resolve(answer.statusCode));
          asked.on("error", reject);
          asked.end();
        });
      expect(await Promise.all(["b.example", "10.1.2.3", "evil.example"].map(status))).toEqual([200, 200, 403]);
      child.kill("SIGTERM");
      expect(await ended).toEqual([0, null]);
    } finally {
      child.kill("SIGKILL");
    }
  });

  test.each([
    [["serve"], "give a run's directory"],
    [["serve", "nowhere"], "no run here"],
    [["serve", "--study", "nowhere"], "no study here"],
    [["serve", "RUN", "RUN"], "two runs would be called shared"],
    [["serve", "RUN", "--kv-memory", "1KB"], "do not hold one block"],
    [["serve", "RUN", "--log-level", "loud"], "expected debug"],
    [["serve", "RUN", "--api-key", ""], "found an empty key"],
    [["serve", "RUN", "--host", "256.1.1.1"], "serve: 256.1.1.1"],
  ])("%j is told what is wrong", async (args, words) => {
    const child = spawn(process.execPath, [cli, ...args.map((arg) => (arg === "RUN" ? join(scratch, "shared") : arg))]);
    try {
      let log = "";
      child.stderr.on("data", (data) => (log += data));
      const [status] = await once(child, "close");
      expect(log).toContain(words);
      expect(log).not.toContain("    at ");
      expect(status).toBe(1);
    } finally {
      child.kill("SIGKILL");
    }
  });
});
