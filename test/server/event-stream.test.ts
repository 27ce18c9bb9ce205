// Events go out one at a time, as they are read.

import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { expect, test, vi } from "vitest";
import { eventStream } from "../../src/server/event-stream.ts";

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("an event is made only when the one before it was read", async () => {
  let made = 0;
  const events = (async function* () {
    for (; made < 100; ) yield `${++made}`;
  })();
  const reader = eventStream(events, { patience: 1000, onGone: () => {} }).getReader();
  await pause(20);
  expect(made).toBe(0);
  expect(new TextDecoder().decode((await reader.read()).value)).toBe("data: 1\n\n");
  await pause(20);
  expect(made).toBe(1);
  await reader.cancel();
});

test("who stops reading is given up after a while; who reads to the end is not", async () => {
  const onGone = vi.fn();
  const events = async function* () {
    yield "a";
    yield "b";
  };
  const stalled = eventStream(events(), { patience: 30, onGone }).getReader();
  await stalled.read();
  await pause(80);
  expect(onGone).toHaveBeenCalledTimes(1);
  await expect(stalled.read()).rejects.toThrow("took nothing for 30 ms");
  const whole = await new Response(eventStream(events(), { patience: 400, onGone })).text();
  await pause(500);
  expect(whole).toBe("data: a\n\ndata: b\n\n");
  expect(onGone).toHaveBeenCalledTimes(1);
});

test("a reader that cancels is told of once", async () => {
  const onGone = vi.fn();
  const never = { next: () => new Promise<IteratorResult<string>>(() => {}) };
  const stream = eventStream(never, { patience: 1000, onGone });
  await stream.cancel();
  expect(onGone).toHaveBeenCalledTimes(1);
});

test("a socket that is not read holds back what makes the events", async () => {
  let made = 0;
  const events = (async function* () {
    for (; made < 1000; made++) yield "x".repeat(1_000_000);
  })();
  const onGone = vi.fn();
  const server = createServer(getRequestListener(() => new Response(eventStream(events, { patience: 500, onGone }))));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.on("error", () => {}); // it is cut off in the end
  await once(socket, "connect");
  socket.pause();
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  await expect.poll(() => onGone.mock.calls.length).toBe(1);
  expect(made).toBeGreaterThan(0);
  expect(made).toBeLessThan(30); // what the system's buffers hold, of a thousand
  socket.destroy();
  server.close();
});
