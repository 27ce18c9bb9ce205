// Clients that send requests before they have their answers: all are answered, in order, and others do not wait for them.

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Serving, serving } from "./serving.ts";

let it: Serving;
beforeAll(async () => {
  it = await serving();
});
afterAll(() => it[Symbol.asyncDispose]());

const open = (): Socket => connect({ port: Number(new URL(it.url).port), host: "127.0.0.1" });

function completion(options: object, more: readonly string[] = []): string {
  const body = JSON.stringify({ model: "shared", prompt: "we the", ignore_eos: true, ...options });
  const headers = ["host: localhost", "content-type: application/json", `content-length: ${body.length}`, ...more];
  return `POST /v1/completions HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n${body}`;
}

describe("requests in advance", () => {
  test("are answered in their order, however many", async () => {
    const socket = open();
    let answers = "";
    socket.on("data", (data) => {
      answers += data;
    });
    const counts = Array.from({ length: 80 }, (_, i) => 1 + ((i * 5) % 7));
    const requests = counts.map((count, i) => completion({ max_tokens: count }, i === 79 ? ["connection: close"] : []));
    socket.write(requests.join(""));
    await once(socket, "close");
    expect(answers.match(/HTTP\/1.1 \d+/g)).toEqual(counts.map(() => "HTTP/1.1 200"));
    expect([...answers.matchAll(/"completion_tokens":(\d+)/g)].map(([, count]) => Number(count))).toEqual(counts);
  });

  test("run one at a time, and no other client waits for them", async () => {
    const sockets = Array.from({ length: 4 }, open);
    for (const socket of sockets) socket.write(completion({ max_tokens: 20 }).repeat(500)); // nobody reads the answers
    const stats = () => it.served.get("shared")?.engine?.stats();
    await expect.poll(() => (stats()?.running ?? 0) > 0).toBe(true);
    let most = 0;
    for (let asked = 0; asked < 5; asked++) {
      const { running = 0, waiting = 0 } = stats() ?? {};
      most = Math.max(most, running + waiting);
      const body = JSON.stringify({ model: "shared", prompt: "all of", max_tokens: 4 });
      const headers = { "content-type": "application/json" };
      expect((await fetch(`${it.url}/v1/completions`, { method: "POST", headers, body })).status).toBe(200);
    }
    expect(most).toBeLessThanOrEqual(sockets.length);
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => (stats()?.running ?? 0) + (stats()?.waiting ?? 0)).toBe(0);
  });
});
