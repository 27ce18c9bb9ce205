// What the published tests of vLLM (test_completion.py, test_chat.py) and llama.cpp (test_completion.py,
// test_chat_completion.py) expect of an OpenAI-compatible server, in our own words; and where this one differs, which
// docs/serving.md tells with the reason.

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Serving, serving } from "./serving.ts";

let it: Serving;
beforeAll(async () => {
  it = await serving();
});
afterAll(() => it[Symbol.asyncDispose]());

const [completions, chats] = ["/v1/completions", "/v1/chat/completions"];
const base = { model: "shared", prompt: "we the", max_tokens: 5, temperature: 0, ignore_eos: true };
const said = [
  { role: "system", content: "you are a helpful assistant" },
  { role: "user", content: "what is 1+1?" },
];
const chat = { model: "shared", messages: said, max_completion_tokens: 8, temperature: 0, ignore_eos: true };

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into as they are
type Json = any;

async function ask(path: string, body: object): Promise<Json> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${it.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  return { status: response.status, ...((await response.json()) as object) };
}

/** The events of a stream. */
async function streamed(path: string, body: object): Promise<Json[]> {
  const headers = { "content-type": "application/json" };
  const asked = JSON.stringify({ ...body, stream: true });
  const response = await fetch(`${it.url}${path}`, { method: "POST", headers, body: asked });
  expect(response.status).toBe(200);
  const events = (await response.text()).split("\n\n").filter((event) => event !== "");
  expect(events.pop()).toBe("data: [DONE]");
  return events.map((event) => JSON.parse(event.slice(6)));
}

const usageAddsUp = ({ prompt_tokens: prompt, completion_tokens: completion, total_tokens: total }: Json) => {
  expect(prompt).toBeGreaterThan(0);
  expect(completion).toBeGreaterThan(0);
  expect(total).toBe(prompt + completion);
};

const car = {
  $defs: { CarType: { enum: ["sedan", "SUV"], title: "CarType", type: "string" } },
  properties: { brand: { title: "Brand", enum: ["A", "B"] }, car_type: { $ref: "#/$defs/CarType" } },
  required: ["brand", "car_type"],
  title: "CarDescription",
  type: "object",
};
const address = "((25[0-5]|(2[0-4]|1\\d|[1-9]|)\\d)\\.?\\b){4}".replace("\\b", "");

describe("completions, as vLLM's tests have them", () => {
  test("five tokens are five tokens, of a text or of ids", async () => {
    for (const prompt of ["Hello, my name is", [0, 0, 0, 0, 0]]) {
      const { choices, usage, id } = await ask(completions, { ...base, prompt });
      expect(id).toBeTypeOf("string");
      expect(choices).toMatchObject([{ finish_reason: "length", logprobs: null }]);
      expect(choices[0].text.length).toBeGreaterThanOrEqual(1);
      expect(choices[0].prompt_logprobs ?? null).toBeNull();
      expect(usage.completion_tokens).toBe(5);
      expect(usage.prompt_tokens_details.cached_tokens).toBe(0);
      usageAddsUp(usage);
    }
  });

  test.each([
    [undefined, null],
    [null, null],
    [0, [1, 1]],
    [1, [1, 2]],
    [5, [5, 6]],
  ])("logprobs %s", async (logprobs, counts) => {
    const { choices } = await ask(completions, { ...base, prompt: [0, 0, 0], logprobs });
    if (!counts) return expect(choices[0].logprobs).toBeNull();
    const { tokens, token_logprobs: own, top_logprobs: top } = choices[0].logprobs;
    expect([tokens.length, own.length, top.length]).toEqual([5, 5, 5]);
    for (const [i, likeliest] of top.entries()) {
      expect(Object.keys(likeliest).length).toBeGreaterThanOrEqual(counts[0] as number);
      expect(Object.keys(likeliest).length).toBeLessThanOrEqual(counts[1] as number);
      expect(likeliest[tokens[i]]).toBe(own[i]);
    }
  });

  test("too many logprobs are refused, and the server goes on", async () => {
    for (const [logprobs, stream] of [
      [21, false],
      [30, true],
    ]) {
      expect((await ask(completions, { ...base, logprobs, stream })).status).toBe(400);
    }
    expect((await ask(completions, base)).status).toBe(200);
  });

  test("a stream says the same, and why it ended in its last event alone", async () => {
    const [whole, events] = await Promise.all([ask(completions, base), streamed(completions, base)]);
    expect(events.map(({ choices }) => choices[0].text).join("")).toBe(whole.choices[0].text);
    expect(events.filter(({ choices }) => choices[0].finish_reason !== null)).toHaveLength(1);
    expect(events.at(-1).choices[0].finish_reason).toBe("length");
    expect(events.at(-1).choices[0].text).not.toBe("");
  });

  test("several texts of one prompt are told apart, whole and streaming", async () => {
    const body = { ...base, n: 3, max_tokens: 50, temperature: 1, seed: 42, ignore_eos: false };
    const { choices } = await ask(completions, { ...body, logprobs: 0 });
    expect(choices.map(({ index }: Json) => index)).toEqual([0, 1, 2]);
    expect(choices.every(({ finish_reason: reason }: Json) => reason !== null)).toBe(true);
    expect(new Set(choices.map(({ text }: Json) => text)).size).toBe(3);
    const events = await streamed(completions, body);
    expect(events.filter((event) => event.choices[0].finish_reason !== null)).toHaveLength(3);
    for (const index of [0, 1, 2]) {
      const own = events.filter((event) => event.choices[0].index === index);
      expect(own.length).toBeLessThanOrEqual(51); // its end may come alone
      expect(own.map((event) => event.choices[0].text).join("")).toBe(choices[index].text);
    }
  });

  test.each([
    [{}, "never"],
    [{ include_usage: false, continuous_usage_stats: false }, "never"],
    [{ include_usage: false, continuous_usage_stats: true }, "never"],
    [{ include_usage: true, continuous_usage_stats: false }, "last"],
    [{ include_usage: true, continuous_usage_stats: true }, "always"],
  ])("stream_options %j: usage %s", async (options, when) => {
    for (const [path, body] of [
      [completions, base],
      [chats, chat],
    ] as const) {
      const events = await streamed(path, { ...body, stream_options: options });
      const last = when === "never" ? undefined : events.pop();
      for (const { usage } of events) {
        if (when === "always") expect(usage.total_tokens).toBe(usage.prompt_tokens + usage.completion_tokens);
        else expect(usage ?? null).toBeNull();
      }
      if (!last) continue;
      expect(last.choices).toEqual([]);
      usageAddsUp(last.usage);
      const counts = when === "always" ? events.map(({ usage }) => usage.completion_tokens) : [];
      for (const [i, count] of counts.entries()) if (i > 1) expect(count).toBeGreaterThan(counts[i - 1]);
    }
  });

  test.each([{ include_usage: true }, { continuous_usage_stats: true }])(
    "stream_options %j need a stream",
    async (options) => {
      for (const [path, body] of [
        [completions, base],
        [chats, chat],
      ] as const) {
        expect((await ask(path, { ...body, stream_options: options })).status).toBe(400);
      }
    },
  );

  test("prompts in a batch, as texts and as ids, have answers in their order", async () => {
    for (const prompt of [
      ["we the", "we the"],
      [
        [0, 0, 0],
        [0, 0, 0],
      ],
    ]) {
      const { choices } = await ask(completions, { ...base, prompt });
      expect(choices).toHaveLength(2);
      expect(choices[0].text).toBe(choices[1].text);
      expect((await ask(completions, { ...base, prompt, n: 2 })).choices).toHaveLength(4);
      const texts = ["", ""];
      for (const event of await streamed(completions, { ...base, prompt })) {
        expect(event.choices).toHaveLength(1);
        texts[event.choices[0].index] += event.choices[0].text;
      }
      expect(texts).toEqual(choices.map(({ text }: Json) => text));
    }
  });

  test.each([
    ["a schema with what is none", { structured_outputs: { json: { ...car, properties: { foo: "bar" } } } }],
    ["a pattern that is none", { structured_outputs: { regex: "[.*" }, stop: ["\n"] }],
    ["a pattern that is no text", { structured_outputs: { regex: { 1: "Python", 2: "C++" } } }],
    ["a grammar", { structured_outputs: { grammar: "root ::= select_statementinvalidsyntax" } }],
    ["prompt_logprobs below 0", { prompt_logprobs: -1 }],
    ["no prompt", { prompt: [] }],
  ])("is refused: %s", async (_, more) => {
    expect((await ask(completions, { ...base, ...more })).status).toBe(400);
  });
});

describe("chats, as vLLM's tests have them", () => {
  test.each([
    [{ logprobs: false }, undefined],
    [{ logprobs: true, top_logprobs: 0 }, 0],
    [{ logprobs: true, top_logprobs: 5 }, 5],
  ])("%j", async (more, count) => {
    const { choices } = await ask(chats, { ...chat, ...more });
    if (count === undefined) return expect(choices[0].logprobs).toBeNull();
    for (const { top_logprobs: top } of choices[0].logprobs.content) expect(top).toHaveLength(count);
  });

  test("too many logprobs are refused, and the server goes on", async () => {
    for (const [top, stream] of [
      [21, true],
      [30, false],
    ]) {
      expect((await ask(chats, { ...chat, logprobs: true, top_logprobs: top, stream })).status).toBe(400);
    }
    expect((await ask(chats, chat)).choices[0].message.content).toBeTypeOf("string");
  });

  test("a conversation of two turns", async () => {
    const first = await ask(chats, chat);
    usageAddsUp(first.usage);
    expect(first.choices).toMatchObject([{ finish_reason: "length", message: { role: "assistant" } }]);
    const { content } = first.choices[0].message;
    const messages = [...said, { role: "assistant", content }, { role: "user", content: "in JSON, please" }];
    expect((await ask(chats, { ...chat, messages })).choices[0].message.content).toBeTypeOf("string");
  });

  test("a stream says the same, and why it ended in its last event alone", async () => {
    const [whole, events] = await Promise.all([ask(chats, chat), streamed(chats, chat)]);
    const choices = events.map((event) => event.choices[0]);
    for (const { delta } of choices) if (delta.role) expect(delta.role).toBe("assistant");
    expect(choices.map(({ delta }) => delta.content ?? "").join("")).toBe(whole.choices[0].message.content);
    expect(choices.filter(({ finish_reason: reason }) => reason !== null)).toHaveLength(1);
    expect(choices.at(-1).finish_reason).toBe(whole.choices[0].finish_reason);
    expect(choices.at(-1).delta.content).toBeTruthy();
  });

  test.each([
    ["choice", { choice: ["Python", "C++", "Rust"] }, /^(Python|C\+\+|Rust)$/],
    ["json", { json: car }, /^\{.*\}$/s],
    ["regex", { regex: address }, new RegExp(`^${address}$`)],
  ])("structured_outputs: %s", async (_, outputs, right) => {
    const body = { ...chat, max_completion_tokens: 100, temperature: 0.7, structured_outputs: outputs };
    const { choices } = await ask(chats, { ...body, logprobs: true, top_logprobs: 5 });
    expect(choices[0].message.content).toMatch(right);
    for (const { top_logprobs: top } of choices[0].logprobs.content) {
      for (const { logprob } of top) expect(logprob).toBeGreaterThanOrEqual(-9999);
    }
    const older = Object.entries(outputs).map(([key, value]) => [`guided_${key}`, value]);
    const same = await ask(chats, { ...chat, max_completion_tokens: 100, ...Object.fromEntries(older) });
    expect(same.choices[0].message.content).toMatch(right);
  });

  test("response_format: an object, an object of a schema, a text", async () => {
    const properties = { result: { type: "integer", minimum: 0, maximum: 9 } };
    const schema = { type: "object", properties, required: ["result"] };
    const formats = [
      { type: "json_schema", json_schema: { name: "foo_test", schema } },
      { type: "json_object", schema },
    ];
    for (const format of formats) {
      const { choices } = await ask(chats, { ...chat, max_completion_tokens: 200, response_format: format });
      expect(Number.isInteger(JSON.parse(choices[0].message.content).result)).toBe(true);
    }
    const any = await ask(chats, { ...chat, response_format: { type: "json_object" } });
    expect(any.choices[0].message.content).toMatch(/^\{/);
    const text = await ask(chats, { ...chat, response_format: { type: "text" } });
    expect(text.choices[0].message.content).toBeTypeOf("string");
  });

  test("text in parts is the same text", async () => {
    const parts = said.map(({ role, content }) => ({ role, content: [{ type: "text", text: content }] }));
    const [one, other] = await Promise.all([ask(chats, chat), ask(chats, { ...chat, messages: parts })]);
    expect(other.choices[0].message.content).toBe(one.choices[0].message.content);
  });

  test("seeds beyond 64 bits are refused", async () => {
    for (const seed of [-(2 ** 63) - 2048, 2 ** 63]) {
      expect(await ask(chats, { ...chat, seed })).toMatchObject({ status: 400, error: { param: "seed" } });
    }
  });

  test("n texts, whole and streaming", async () => {
    const body = { ...chat, temperature: 0.7, n: 3, seed: 42 };
    const { choices } = await ask(chats, body);
    expect(choices.map(({ index }: Json) => index)).toEqual([0, 1, 2]);
    expect(new Set(choices.map(({ message }: Json) => message.content)).size).toBeGreaterThan(1);
    const texts = ["", "", ""];
    for (const event of await streamed(chats, body)) {
      for (const { index, delta } of event.choices) texts[index] += delta.content ?? "";
    }
    expect(texts).toEqual(choices.map(({ message }: Json) => message.content));
  });
});

describe("as llama.cpp's tests have them", () => {
  test("one seed, one text; other seeds, other texts; the cache changes nothing", async () => {
    const text = async (more: object) =>
      (await ask(completions, { ...base, max_tokens: 16, temperature: 1, ...more })).choices[0].text;
    const same = [];
    for (const cached of [false, true, true]) same.push(await text({ seed: 42, cache_prompt: cached }));
    expect(new Set(same).size).toBe(1);
    const other = await Promise.all([0, 1, 2, 3].map((seed) => text({ seed })));
    expect(new Set(other).size).toBe(4);
  });

  test("too long a prompt is refused, whole and streaming", async () => {
    for (const stream of [false, true]) {
      const long = await ask(chats, { ...chat, messages: Array(100).fill(said).flat(), stream });
      expect(long).toMatchObject({ status: 400, error: { code: "context_length_exceeded" } });
      expect(long.error.message).toMatch(/\d+/);
    }
  });

  test("what is biased away does not come", async () => {
    const ids = it.served.get("shared")?.tokenizer.encode("we the people of the united states") ?? [];
    const logit_bias = Object.fromEntries(Array.from(ids, (id) => [id, -100]));
    const { choices } = await ask(completions, { ...base, max_tokens: 64, logit_bias, logprobs: 0 });
    const { tokens } = choices[0].logprobs;
    const barred = Array.from(ids, (id) => it.served.get("shared")?.tokenizer.decode([id]));
    expect(tokens.filter((token: string) => barred.includes(token) && token !== "\ufffd")).toEqual([]);
  });

  test("requests at one time have the answers they have alone", async () => {
    const bodies = [0, 1, 2, 3, 4, 5].map((seed) => ({ ...base, seed, temperature: 1, prompt: `we ${seed}` }));
    const together = await Promise.all(bodies.map((body) => ask(completions, body)));
    for (const [i, body] of bodies.entries()) {
      expect(together[i].choices[0].text).toBe((await ask(completions, body)).choices[0].text);
    }
  });

  test("a stream of a chat begins with the role, which comes once, and keeps its id", async () => {
    const events = await streamed(chats, chat);
    expect(events[0].id).toContain("cmpl");
    expect(events[0].choices[0].delta.role).toBe("assistant");
    for (const event of events.slice(1)) {
      expect(event.choices[0].delta).not.toHaveProperty("role");
      expect([event.id, event.model]).toEqual([events[0].id, "shared"]);
      expect(event.system_fingerprint).toMatch(/^fp_\w+$/);
    }
  });

  test("tokens with log-probabilities are the text", async () => {
    const body = { ...chat, logprobs: true, top_logprobs: 10 };
    const { choices } = await ask(chats, body);
    const deltas = (await streamed(chats, body)).flatMap((event) => event.choices[0].logprobs?.content ?? []);
    for (const tokens of [choices[0].logprobs.content, deltas]) {
      const bytes = tokens.flatMap(({ bytes }: Json) => bytes);
      expect(new TextDecoder().decode(Uint8Array.from(bytes))).toBe(choices[0].message.content);
      for (const { logprob, top_logprobs: top } of tokens) {
        expect(logprob).toBeLessThanOrEqual(0);
        expect(top.length).toBeGreaterThan(0);
      }
    }
  });

  test.each([
    [{ type: "json_object", schema: { const: "42" } }, '"42"'],
    [{ type: "json_schema", json_schema: { schema: { const: "foooooo" } } }, '"foooooo"'],
    [{ type: "sound" }, undefined],
    [{ type: "json_object", schema: 123 }, undefined],
    [{ type: "json_object", schema: { type: 123 } }, undefined],
    [{ type: "json_object", schema: { type: "hiccup" } }, undefined],
  ])("response_format %j", async (format, content) => {
    const answer = await ask(chats, { ...chat, max_completion_tokens: 30, response_format: format });
    if (content === undefined) expect(answer).toMatchObject({ status: 400, error: { type: "invalid_request_error" } });
    else expect(answer.choices[0].message.content).toBe(content);
  });

  test("tokens that are parts of characters are told apart, by their own bytes", async () => {
    const whole = it.served.get("shared")?.tokenizer;
    const parts = Array.from({ length: 256 }, (_, id) => id).filter((id) => whole?.decode([id]) === "\ufffd");
    const logit_bias = Object.fromEntries(parts.slice(0, 6).map((id) => [id, 100]));
    const body = { ...base, max_tokens: 8, temperature: 1, seed: 1, logit_bias };
    const { choices } = await ask(completions, { ...body, logprobs: 5 });
    const { tokens, token_logprobs: own, top_logprobs: top } = choices[0].logprobs;
    const seen: string[] = [];
    for (const [i, token] of tokens.entries()) {
      expect(token).toBe("\ufffd");
      expect(top[i][token]).toBe(own[i]);
      const others = Object.keys(top[i]).filter((name) => name !== token);
      expect(others.length).toBeGreaterThanOrEqual(4);
      for (const name of others) expect(name).not.toContain("\ufffd");
      seen.push(...others.filter((name) => name.startsWith("bytes:")));
    }
    expect(seen.length).toBeGreaterThan(0);
    for (const name of seen) expect(name).toMatch(/^bytes:(\\x[\da-f]{2})+$/);
    const told = (await ask(chats, { ...chat, logit_bias, logprobs: true })).choices[0].logprobs.content;
    for (const { token, bytes } of told) {
      expect(token).toBe("\ufffd");
      expect(parts.map((id) => [...(whole?.bytesOf(id) ?? [])])).toContainEqual(bytes);
    }
  });

  test("tokens of a stop text are not told", async () => {
    const body = { ...base, max_tokens: 40, logprobs: 0, temperature: 1, seed: 1 };
    const free = (await ask(completions, body)).choices[0];
    const stop = free.text.slice(5, 8);
    const { text, logprobs } = (await ask(completions, { ...body, stop })).choices[0];
    expect(free.text.startsWith(text)).toBe(true);
    const begins = logprobs.text_offset.at(-1);
    expect(begins).toBeLessThan(text.length); // the last one begins in the text
    const events = await streamed(completions, { ...body, stop });
    expect(events.flatMap((event) => event.choices[0].logprobs.tokens)).toEqual(logprobs.tokens);
    let length = 0;
    for (const event of events) {
      length += event.choices[0].text.length;
      for (const offset of event.choices[0].logprobs.text_offset) expect(offset).toBeLessThan(length);
    }
  });

  test("json_schema beside the messages", async () => {
    const { choices } = await ask(chats, { ...chat, json_schema: { const: "42" } });
    expect(choices[0].message.content).toBe('"42"');
  });

  test.each([
    [null],
    ["string"],
    [[123]],
    [[{}]],
    [[{ role: 123 }]],
    [[{ role: "system", content: 123 }]],
    [[{ content: "hello" }]],
    [[{ role: "system", content: "test" }, {}]],
  ])("messages %j are refused", async (messages) => {
    expect((await ask(chats, { ...chat, messages })).status).toBe(400);
  });
});

describe("what differs", () => {
  const docs = readFileSync(new URL("../../docs/serving.md", import.meta.url), "utf8");

  /** In the docs' words; what is asked, and what comes. */
  const rows: [words: string, path: string, body: object, status: number, found: RegExp][] = [
    [
      "`stream_options` that ask nothing",
      completions,
      { ...base, stream_options: { include_usage: null } },
      200,
      /"usage"/,
    ],
    ["`prompt_logprobs`", completions, { ...base, prompt_logprobs: 1 }, 400, /prompt_logprobs: is not supported/],
    ["`use_beam_search`", completions, { ...base, use_beam_search: true }, 400, /use_beam_search: is not supported/],
    [
      "`truncate_prompt_tokens`",
      completions,
      { ...base, truncate_prompt_tokens: 4 },
      400,
      /truncate_prompt_tokens: is not/,
    ],
    ["`min_tokens`", completions, { ...base, min_tokens: 4 }, 400, /min_tokens: is not supported/],
    ["`return_token_ids`", completions, { ...base, return_token_ids: true }, 400, /return_token_ids: is not supported/],
    ["`grammar`", chats, { ...chat, grammar: 'root ::= "a"{5,5}' }, 400, /grammar: is not supported/],
    [
      "Unknown fields",
      chats,
      { ...chat, messages: [{ ...said[1], extra_field: "0" }] },
      400,
      /extra_field: is not a field/,
    ],
    [
      "roles of one's own",
      chats,
      { ...chat, messages: [{ role: "my-custom-role", content: "x" }] },
      400,
      /must be system/,
    ],
    ["`/invocations`", "/invocations", chat, 404, /nothing at POST/],
    ["`/completion`", "/completion", { prompt: "x", n_predict: 8 }, 404, /nothing at POST/],
    ["`n_predict`", completions, { ...base, n_predict: 8 }, 400, /n_predict: is not supported/],
    ["`n_probs`", completions, { ...base, n_probs: 10 }, 400, /n_probs: is not supported/],
    ["`timings_per_token`", chats, { ...chat, timings_per_token: true }, 400, /timings_per_token: is not supported/],
    ["`return_progress`", chats, { ...chat, return_progress: true }, 400, /return_progress: is not supported/],
    ["texts and ids in one", completions, { ...base, prompt: [[1, 2], "we"] }, 400, /a text, token ids/],
    ["`logit_bias` as a list", completions, { ...base, logit_bias: [[1, -100]] }, 400, /logit_bias/],
    ["`logit_bias` by texts", completions, { ...base, logit_bias: { " the ": -100 } }, 400, /must be a token id/],
    ["`model` must be given", completions, { ...base, model: undefined }, 400, /model: must be given/],
    ["`items` as a list", chats, { ...chat, json_schema: { items: [{ type: "integer" }] } }, 400, /prefixItems/],
    [
      "two answers in a row",
      chats,
      { ...chat, messages: [...said, { role: "assistant", content: "a" }, { role: "assistant", content: "b" }] },
      200,
      /"finish_reason":"length"/,
    ],
    ["fingerprint", completions, base, 200, /"system_fingerprint":"fp_/],
    ["`context_length_exceeded`", completions, { ...base, max_tokens: 600 }, 400, /"code":"context_length_exceeded"/],
  ];

  test.each(rows)("%s", async (words, path, body, status, found) => {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${it.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    expect(await answer.text()).toMatch(found);
    expect(answer.status).toBe(status);
    expect([words, docs.includes(words)]).toEqual([words, true]);
  });

  test("an answer that was begun is not gone on with: the assistant speaks anew", async () => {
    const { usage } = await ask(chats, { ...chat, messages: [...said, { role: "assistant", content: "Whill" }] });
    const { usage: alone } = await ask(chats, chat);
    expect(usage.prompt_tokens).toBeGreaterThan(alone.prompt_tokens);
    expect(docs.includes("An assistant's message at the end")).toBe(true);
  });
});
