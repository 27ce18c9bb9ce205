// Ten thousand requests, from the API's own description and beyond it: every answer is one that the description promises,
// and the server is none the worse.

import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { valuesOf } from "./schema-values.ts";
import { type Serving, serving } from "./serving.ts";

const count = 10_000;
let it: Serving;
const failures: string[] = [];
beforeAll(async () => {
  it = await serving({
    kvMemory: 8e6,
    maxQueue: 400,
    onLog: (line) => JSON.parse(line).level >= 50 && failures.push(line),
  });
});
afterAll(() => it[Symbol.asyncDispose]());

interface Sent {
  readonly path: string;
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array<ArrayBuffer> | undefined;
}

const encoder = new TextEncoder();
const paths = ["/v1/completions", "/v1/chat/completions"] as const;

/** Of which a request takes one. */
const formatFields = [
  "guided_choice",
  "response_format",
  "guided_regex",
  "structured_outputs",
  "guided_json",
  "json_schema",
];

/** Requests of three kinds: as described; described but for a part; any bytes. */
async function requests(): Promise<fc.Arbitrary<Sent>> {
  const { components } = await (await fetch(`${it.url}/openapi.json`)).json();
  const { CompletionRequest, ChatCompletionRequest } = components.schemas;
  const described = [CompletionRequest, ChatCompletionRequest].map((schema, i) => {
    const known = { ...schema, properties: { ...schema.properties, model: { enum: ["shared", "unshared"] } } };
    return valuesOf(known).map((body) => ({ path: paths[i] as string, body: body as Record<string, unknown> }));
  });
  // What they ask for is short, so that ten thousand do not take an hour.
  const short = fc.tuple(fc.oneof(...described), fc.nat(9)).map(([{ path, body }, dice]) => {
    const { max_completion_tokens: _, n = 1, max_tokens: most = 4, ...rest } = body as Record<string, number>;
    const bias = Object.entries((body.logit_bias as Record<string, number> | undefined) ?? {});
    const taken: Record<string, unknown> = { ...rest, n: Math.min(n, 3), max_tokens: Math.min(Math.max(most, 1), 4) };
    taken.logit_bias = Object.fromEntries(bias.map(([id, value]) => [Number(id) % 250, value]));
    if (body.top_logprobs !== undefined) taken.logprobs = true; // what goes only together
    if (!body.stream) delete taken.stream_options;
    if (body.tools === undefined) delete taken.tool_choice;
    delete taken.best_of;
    const formats = formatFields.filter((field) => body[field] !== undefined); // seldom one, for grammars take long
    for (const field of dice > 0 ? formats : formats.slice(1)) delete taken[field];
    return { path, body: taken };
  });
  const odd = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    fc.constantFrom(
      null,
      -1,
      1e308,
      2 ** 53,
      "",
      "\ud800",
      "\u0000",
      [],
      {},
      [[]],
      "NaN",
      true,
      "__proto__",
      "x".repeat(5000),
    ),
  );
  const name = fc.oneof(
    fc.constantFrom(
      "model",
      "prompt",
      "messages",
      "n",
      "stop",
      "stream",
      "logit_bias",
      "seed",
      "tools",
      "__proto__",
      "constructor",
    ),
    fc.string({ maxLength: 12 }),
  );
  const spoiled = fc
    .tuple(short, name, odd, fc.constantFrom("set", "drop", "nest"))
    .map(([{ path, body }, key, value, how]) => {
      const entries = Object.entries(body).filter(([own]) => how === "set" || own !== key);
      return {
        path,
        text: JSON.stringify(
          Object.fromEntries(how === "drop" ? entries : [...entries, [key, how === "nest" ? { [key]: value } : value]]),
        ),
      };
    });
  const json = { "content-type": "application/json" };
  const sent = (path: string, text: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = json): Sent => {
    return { path, method: "POST", headers, body: typeof text === "string" ? encoder.encode(text) : text };
  };
  const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => new Uint8Array(array));
  const cut = fc.tuple(spoiled, fc.nat(200), fc.nat(255)).map(([{ path, text }, at, byte]) => {
    const body = encoder.encode(text);
    body[at % body.length] = byte;
    return sent(path, body.subarray(0, Math.max(1, body.length - (at % 7))));
  });
  const headers = fc.dictionary(fc.stringMatching(/^x-[a-z]{1,8}$/), fc.stringMatching(/^[ -~]{0,40}$/), {
    maxKeys: 4,
  });
  const elsewhere = fc.record({
    path: fc.webPath({ size: "small" }).map((path) => `/${path}`.replace(/^\/+/, "/")),
    method: fc.constantFrom("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"),
    headers,
    body: fc.constant(undefined),
  });
  return fc.oneof(
    { weight: 4, arbitrary: short.map(({ path, body }) => sent(path, JSON.stringify(body))) },
    { weight: 4, arbitrary: spoiled.map(({ path, text }) => sent(path, text)) },
    { weight: 2, arbitrary: cut },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom(...paths), bytes, headers)
        .map(([path, body, more]) => sent(path, body, { ...json, ...more })),
    },
    { weight: 1, arbitrary: elsewhere },
  );
}

const promised = [200, 204, 304, 400, 404, 405, 413, 415];

async function send({ path, method, headers, body }: Sent): Promise<number> {
  const response = await fetch(`${it.url}${path}`, { method, headers, body });
  const text = await response.text();
  const where = `${method} ${path} ${body ? new TextDecoder().decode(body).slice(0, 1500) : ""} → ${response.status} ${text.slice(0, 300)}`;
  if (!promised.includes(response.status)) throw new Error(where);
  if (response.status >= 400 && method !== "HEAD") {
    const { error } = JSON.parse(text);
    if (typeof error?.message !== "string" || error.message.length > 2000) throw new Error(where);
  }
  if (text.includes("    at ")) throw new Error(where); // a stack
  return response.status;
}

test(`${count} requests are answered as promised`, { timeout: 300_000 }, async () => {
  const arbitrary = await requests();
  const all = fc.sample(arbitrary, { numRuns: count, seed: 20261124 });
  const statuses = new Map<number, number>();
  const next = all.values();
  await Promise.all(
    Array.from({ length: 24 }, async () => {
      for (const request of next) {
        const status = await send(request);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    }),
  );
  expect([...statuses.values()].reduce((sum, found) => sum + found, 0)).toBe(count);
  expect(statuses.get(200)).toBeGreaterThan(count / 10); // it is no test of refusals alone
  expect(statuses.get(400)).toBeGreaterThan(count / 10);
  expect(failures).toEqual([]);
  const busy = () =>
    it.served.loaded.map(({ engine, requests }) => [
      requests,
      engine.stats().running,
      engine.stats().waiting,
      engine.stats().blocks.used,
    ]);
  await expect.poll(busy, { timeout: 10_000 }).toEqual(it.served.loaded.map(() => [0, 0, 0, 0]));
  expect((await fetch(`${it.url}/health`)).status).toBe(200);
});
