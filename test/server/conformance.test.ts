// The API's promises as a table: what is sent, and the status and words that come back. Every row runs against a real server.

import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Serving, serving } from "./serving.ts";

let it: Serving;
const lines: string[] = [];
beforeAll(async () => {
  it = await serving({ study: true, maxBody: 200_000, onLog: (line) => lines.push(line) });
});
afterAll(() => it[Symbol.asyncDispose]());

const json = { "content-type": "application/json" };
const post = (path: string, body: unknown, headers: Record<string, string> = json) =>
  fetch(`${it.url}${path}`, {
    method: "POST",
    headers,
    body: typeof body === "string" || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
  });

const base = { model: "shared", prompt: "we the", max_tokens: 4, temperature: 0, ignore_eos: true };
const chat = { model: "shared", messages: [{ role: "user", content: "we" }], max_tokens: 4, temperature: 0 };
const tools = [
  {
    type: "function",
    function: {
      name: "weather",
      parameters: { type: "object", properties: { city: { enum: ["Oslo", "Rome"] } }, required: ["city"] },
    },
  },
];
const [completions, chats] = ["/v1/completions", "/v1/chat/completions"];

/** Events of a stream, parsed; the last must be [DONE]. */
async function eventsOf(response: Response) {
  expect(response.headers.get("content-type")).toContain("text/event-stream");
  const events = (await response.text()).split("\n\n").filter((event) => event !== "");
  expect(events.every((event) => event.startsWith("data: "))).toBe(true);
  expect(events.pop()).toBe("data: [DONE]");
  return events.map((event) => JSON.parse(event.slice(6)));
}

describe("what is refused", () => {
  const message = (content: unknown, role = "user") => ({ ...chat, messages: [{ role, content }] });
  const rows: [name: string, path: string, body: unknown, status: number, param: string | null, words: RegExp][] = [
    ["no model", completions, { prompt: "x" }, 400, "model", /model: must be given/],
    ["an unknown model", completions, { ...base, model: "gpt" }, 404, "model", /no "gpt"; there is shared, unshared/],
    ["no prompt", completions, { model: "shared" }, 400, "prompt", /prompt/],
    ["an empty list of prompts", completions, { ...base, prompt: [] }, 400, "prompt", /text, token ids/],
    ["prompts of two kinds", completions, { ...base, prompt: ["a", 1] }, 400, "prompt", /128 of either/],
    ["a token beyond the vocabulary", completions, { ...base, prompt: [1, 99999] }, 400, "prompt", /token 1 is 99999/],
    ["a negative token", completions, { ...base, prompt: [-1] }, 400, "prompt", /whole numbers from 0/],
    [
      "a prompt beyond the context",
      completions,
      { ...base, prompt: "we ".repeat(600) },
      400,
      "prompt",
      /context of 512/,
    ],
    ["a prompt beyond all tokens", completions, { ...base, prompt: "x".repeat(50_000) }, 400, "prompt", /characters/],
    [
      "more tokens than the context",
      completions,
      { ...base, max_tokens: 600 },
      400,
      "prompt",
      /600 more \(max_tokens\)/,
    ],
    ["max_tokens 0", completions, { ...base, max_tokens: 0 }, 400, "max_tokens", /1 or more/],
    [
      "max_tokens 0 with echo alone",
      completions,
      { ...base, max_tokens: 0, echo: true },
      400,
      "max_tokens",
      /logprobs/,
    ],
    ["max_tokens 0 in a chat", chats, { ...chat, max_tokens: 0 }, 400, "max_tokens", />=1/],
    ["max_tokens in words", completions, { ...base, max_tokens: "4" }, 400, "max_tokens", /number|int/],
    ["max_tokens of 1e300", completions, { ...base, max_tokens: 1e300 }, 400, "max_tokens", /./],
    ["a temperature of 3", completions, { ...base, temperature: 3 }, 400, "temperature", /<=2/],
    ["a negative temperature", completions, { ...base, temperature: -1 }, 400, "temperature", />=0/],
    ["top_p of 2", completions, { ...base, top_p: 2 }, 400, "top_p", /<=1/],
    ["a penalty of 3", completions, { ...base, presence_penalty: 3 }, 400, "presence_penalty", /<=2/],
    ["n of 0", completions, { ...base, n: 0 }, 400, "n", />=1/],
    ["n of 1000", completions, { ...base, n: 1000 }, 400, "n", /<=128/],
    ["more texts than the queue", completions, { ...base, n: 128, prompt: ["a", "b", "c"] }, 400, "n", /384 texts/],
    ["an empty stop", completions, { ...base, stop: "" }, 400, "stop", /./],
    ["17 stops", completions, { ...base, stop: new Array(17).fill("x") }, 400, "stop", /./],
    ["a bias for no token", completions, { ...base, logit_bias: { we: 1 } }, 400, "logit_bias.we", /token id/],
    ["a bias beyond the vocabulary", completions, { ...base, logit_bias: { 5000: 1 } }, 400, "logit_bias", /0 to \d+/],
    ["a bias of 101", completions, { ...base, logit_bias: { 5: 101 } }, 400, "logit_bias.5", /<=100/],
    ["21 logprobs", completions, { ...base, logprobs: 21 }, 400, "logprobs", /<=20/],
    ["a fraction as seed", completions, { ...base, seed: 0.5 }, 400, "seed", /int/],
    ["suffix", completions, { ...base, suffix: "x" }, 400, "suffix", /not supported/],
    ["best_of", completions, { ...base, best_of: 2 }, 400, "best_of", /is 2 and n 1/],
    ["an unknown field", completions, { ...base, temprature: 1 }, 400, "temprature", /is not a field/],
    [
      "an unknown field within",
      completions,
      { ...base, stream_options: { x: 1 } },
      400,
      "stream_options.x",
      /not a field/,
    ],
    ["an unknown format", completions, { ...base, response_format: { type: "xml" } }, 400, "response_format.type", /./],
    [
      "a schema that is none",
      completions,
      { ...base, response_format: { type: "json_schema", json_schema: { name: "x", schema: { type: "nothing" } } } },
      400,
      "response_format",
      /type/,
    ],
    ["no messages", chats, { ...chat, messages: [] }, 400, "messages", />=1/],
    ["a message without a role", chats, { ...chat, messages: [{ content: "x" }] }, 400, "messages[0].role", /./],
    [
      "a schema's text that holds too much",
      completions,
      { ...base, guided_json: `{"enum":[${"1,".repeat(20_000)}1]}` },
      400,
      "guided_json",
      /more than 20000 values/,
    ],
    [
      "a schema's text that is nested deeply",
      completions,
      { ...base, structured_outputs: { json: "[".repeat(5000) } },
      400,
      "structured_outputs.json",
      /deeper than 100 levels/,
    ],
    [
      "a call whose arguments hold too much",
      chats,
      {
        ...chat,
        messages: [
          { role: "assistant", tool_calls: [{ function: { name: "x", arguments: `[${"{},".repeat(5000)}{}]` } }] },
        ],
      },
      400,
      "messages[0].tool_calls[0].function.arguments",
      /more than 4096 values/,
    ],
    ["an unknown role", chats, message("x", "king"), 400, "messages[0].role", /system/],
    ["a tool's message", chats, message("x", "tool"), 400, "messages[0].role", /./],
    [
      "an image",
      chats,
      message([{ type: "image_url", image_url: { url: "x" } }]),
      400,
      "messages[0].content[0].type",
      /images.*not supported/,
    ],
    ["content that is a number", chats, message(5), 400, "messages[0].content", /a text/],
    ["half a tool", chats, { ...chat, tools: [{ type: "function" }] }, 400, "tools[0].function", /must be given/],
    ["another kind of tool", chats, { ...chat, tools: [{ type: "custom" }] }, 400, "tools[0].type", /not supported/],
    ["a choice without tools", chats, { ...chat, tool_choice: "required" }, 400, "tool_choice", /needs tools/],
    [
      "a choice of another tool",
      chats,
      { ...chat, tools, tool_choice: { type: "function", function: { name: "other" } } },
      400,
      "tool_choice",
      /no tool called other/,
    ],
    ["two tools of one name", chats, { ...chat, tools: [...tools, ...tools] }, 400, "tools[1].function.name", /two/],
    [
      "a tool whose schema is none",
      chats,
      {
        ...chat,
        tools: [{ type: "function", function: { name: "x", parameters: { type: "nothing" } } }],
        tool_choice: "required",
      },
      400,
      "tools[0].function.parameters",
      /type/,
    ],
    ["tools for a completion", completions, { ...base, tools }, 400, "tools", /not supported/],
    [
      "stream_options without stream",
      chats,
      { ...chat, stream_options: { include_usage: true } },
      400,
      "stream_options",
      /needs stream/,
    ],
    [
      "two formats",
      chats,
      { ...chat, guided_regex: "a", guided_choice: ["a"] },
      400,
      "guided_choice",
      /beside guided_regex/,
    ],
    ["a pattern that is none", completions, { ...base, guided_regex: "[a" }, 400, "guided_regex", /regular expression/],
    ["a schema in half a JSON", completions, { ...base, guided_json: "{" }, 400, "guided_json", /is not JSON/],
    ["a grammar", completions, { ...base, grammar: 'root ::= "a"' }, 400, "grammar", /not supported/],
    ["to be stored", chats, { ...chat, store: true }, 400, "store", /not supported/],
    ["to think", chats, { ...chat, reasoning_effort: "high" }, 400, "reasoning_effort", /not supported/],
    ["to speak", chats, { ...chat, modalities: ["text", "audio"] }, 400, "modalities", /not supported/],
    [
      "a message with sound",
      chats,
      { ...chat, messages: [{ role: "assistant", audio: { id: "x" } }] },
      400,
      "messages[0].audio",
      /not supported/,
    ],
    [
      "a question without content",
      chats,
      { ...chat, messages: [{ role: "user", content: null }] },
      400,
      "messages[0].content",
      /must be/,
    ],
    ["top_logprobs alone", chats, { ...chat, top_logprobs: 2 }, 400, "top_logprobs", /needs logprobs/],
    ["two limits that differ", chats, { ...chat, max_completion_tokens: 9 }, 400, "max_tokens", /give one/],
    ["a prompt to chat", chats, { ...chat, prompt: "x" }, 400, "prompt", /is not a field/],
    ["half a JSON", completions, '{"model": "sha', 400, null, /not JSON/],
    ["an array", completions, "[]", 400, null, /must be a JSON object/],
    ["nothing", completions, "", 400, null, /not JSON/],
    ["null", completions, "null", 400, null, /must be a JSON object/],
    [
      "deep nesting",
      completions,
      `{"model":${"[".repeat(50_000)}${"]".repeat(50_000)}}`,
      400,
      "model",
      /deeper than 100/,
    ],
    ["no UTF-8", completions, new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), 400, null, /UTF-8/],
    [
      "a body too large",
      completions,
      { ...base, prompt: "x".repeat(300_000) },
      413,
      null,
      /larger than the 200000 bytes/,
    ],
    ["a body of 10 MB", completions, { ...base, prompt: "x".repeat(10_000_000) }, 413, null, /larger/],
  ];

  test.each(rows)("%s", async (_, path, body, status, param, words) => {
    const response = await post(path, body);
    const { error } = (await response.json()) as { error: Record<string, string | null> };
    expect(error.message).toMatch(words);
    expect([response.status, error.param]).toEqual([status, param]);
    expect(error.type).toBe("invalid_request_error");
    expect(Object.keys(error).sort()).toEqual(["code", "message", "param", "type"]);
    expect(response.headers.get("x-request-id")).toMatch(/^[\w-]{36}$/);
  });

  test.each([
    [{ ...base, prompt: "we ".repeat(600) }, "context_length_exceeded", /^prompt: has \d+ tokens/],
    [{ ...base, prompt: "x".repeat(50_000) }, "context_length_exceeded", /^prompt: has 50000 characters/],
    [{ ...base, logit_bias: { 5000: 1 } }, null, /^logit_bias: must be for token ids/],
    [{ prompt: "x" }, "missing_required_parameter", /^model: must be given$/],
  ])("programs learn why: %#", async (body, code, words) => {
    const { error } = await (await post(completions, body)).json();
    expect(error.code).toBe(code);
    expect(error.message).toMatch(words);
  });

  test.each(["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])(
    "content type %j",
    async (type) => {
      const response = await post(
        completions,
        new TextEncoder().encode(JSON.stringify(base)),
        type ? { "content-type": type } : {},
      );
      expect(response.status).toBe(415);
      expect(await response.text()).toContain("must be application/json");
    },
  );

  test.each([
    ["GET", "/v1/completions", 405],
    ["DELETE", "/v1/models", 405],
    ["POST", "/v1/models/shared", 405],
    ["GET", "/v1/nothing", 404],
    ["POST", "/", 405],
    ["GET", "/../../etc/passwd", 404],
    ["GET", "/assets/..%2f..%2f..%2fpackage.json", 404],
    ["GET", "/v1/models/nothing", 404],
  ])("%s %s", async (method, path, status) => {
    const response = await fetch(`${it.url}${path}`, { method });
    expect(response.status).toBe(status);
    expect(((await response.json()) as { error: object }).error).toBeTypeOf("object");
    if (status === 405) expect(response.headers.get("allow")).toMatch(/GET|POST/);
  });

  test("leaves nothing behind", () => {
    expect(it.served.all.map(({ requests }) => requests)).toEqual(it.served.all.map(() => 0));
    expect(lines.filter((line) => JSON.parse(line).level >= 50)).toEqual([]);
  });
});

describe("completions", () => {
  test("give text, its end and what it took", async () => {
    const response = await post(completions, base);
    expect(response.status).toBe(200);
    const body = await response.json();
    expect(body).toMatchObject({
      object: "text_completion",
      model: "shared",
      choices: [{ index: 0, finish_reason: "length", logprobs: null }],
      usage: { completion_tokens: 4 },
    });
    expect(body.id).toMatch(/^cmpl-[0-9a-f]{32}$/);
    expect(body.usage.total_tokens).toBe(body.usage.prompt_tokens + 4);
  });

  test("stream the same text", async () => {
    const whole = (await (await post(completions, base)).json()).choices[0];
    const events = await eventsOf(await post(completions, { ...base, stream: true }));
    expect(events.map(({ choices }) => choices[0].text).join("")).toBe(whole.text);
    expect(events.at(-1).choices[0].finish_reason).toBe("length");
    expect(events.slice(0, -1).every(({ choices }) => choices[0].finish_reason === null)).toBe(true);
    expect(events.every((event) => !("usage" in event))).toBe(true);
  });

  test("tell usage at the end, or always, if asked", async () => {
    const last = await eventsOf(
      await post(completions, { ...base, stream: true, stream_options: { include_usage: true } }),
    );
    expect(last.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 4 } });
    expect(last.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
    const options = { include_usage: true, continuous_usage_stats: true };
    const always = await eventsOf(await post(completions, { ...base, stream: true, stream_options: options }));
    const counts = always.map(({ usage }) => usage.completion_tokens);
    expect(counts.at(-1)).toBe(4);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
  });

  test("take several prompts and n texts of each, told apart by index", async () => {
    const body = { ...base, prompt: ["we", "people of"], n: 3, temperature: 1, seed: 5 };
    const whole = await (await post(completions, body)).json();
    expect(whole.choices.map(({ index }: { index: number }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
    const texts = Array.from({ length: 6 }, () => "");
    for (const { choices } of await eventsOf(await post(completions, { ...body, stream: true }))) {
      texts[choices[0].index] += choices[0].text;
    }
    expect(texts).toEqual(whole.choices.map(({ text }: { text: string }) => text));
    expect(new Set(texts).size).toBeGreaterThan(3);
    const one = await (await post(completions, { ...body, prompt: "we" })).json();
    expect(one.usage.completion_tokens).toBe(12);
    expect(one.choices.map(({ text }: { text: string }) => text)).toEqual(texts.slice(0, 3));
  });

  test("tell the same offsets while text is held back", async () => {
    const body = { ...base, max_tokens: 40, logprobs: 0, stop: ["e pl", "zzzz"], temperature: 1, seed: 1 };
    const whole = await (await post(completions, body)).json();
    const events = await eventsOf(await post(completions, { ...body, stream: true }));
    const told = events.flatMap(({ choices: [choice] }) => choice.logprobs.text_offset);
    expect(told).toEqual(whole.choices[0].logprobs.text_offset);
  });

  test("are the same by token ids", async () => {
    const tokenizer = it.served.get("shared")?.tokenizer;
    const ids = [tokenizer?.endOfText, ...(tokenizer?.encode("we the") ?? [])];
    const [a, b] = await Promise.all(
      [base, { ...base, prompt: ids }].map(async (body) => (await post(completions, body)).json()),
    );
    expect(b.choices[0].text).toBe(a.choices[0].text);
    const many = await (await post(completions, { ...base, prompt: [ids, ids] })).json();
    expect(many.choices.map(({ text }: { text: string }) => text)).toEqual([a.choices[0].text, a.choices[0].text]);
  });

  test("echo the prompt", async () => {
    const plain = await (await post(completions, base)).json();
    const echoed = await (await post(completions, { ...base, echo: true })).json();
    expect(echoed.choices[0].text).toBe(`we the${plain.choices[0].text}`);
    const events = await eventsOf(await post(completions, { ...base, echo: true, stream: true }));
    expect(events.map(({ choices }) => choices[0].text).join("")).toBe(echoed.choices[0].text);
  });

  test("give log-probabilities that add up", async () => {
    const { choices } = await (await post(completions, { ...base, logprobs: 3 })).json();
    const { tokens, token_logprobs: own, top_logprobs: top, text_offset: offsets } = choices[0].logprobs;
    expect(tokens.join("")).toBe(choices[0].text);
    expect(offsets[0]).toBe(0);
    for (const [i, logprob] of own.entries()) {
      expect(logprob).toBeLessThanOrEqual(0);
      expect(Math.max(...(Object.values(top[i]) as number[]))).toBeCloseTo(logprob, 5); // greedy: the likeliest was taken
    }
    const events = await eventsOf(await post(completions, { ...base, logprobs: 3, stream: true }));
    const told = events.map(({ choices: [choice] }) => choice.logprobs);
    expect(told.flatMap(({ token_logprobs }) => token_logprobs)).toEqual(own);
    expect(told.flatMap(({ text_offset }) => text_offset)).toEqual(offsets);
  });

  test("obey stop, bias, seed, penalties and formats", async () => {
    const text = async (more: object) =>
      (await (await post(completions, { ...base, max_tokens: 30, ...more })).json()).choices[0];
    const free = await text({});
    const stopped = await text({ stop: free.text.slice(3, 6) });
    expect(free.text.startsWith(stopped.text) && stopped.finish_reason === "stop").toBe(true);
    expect(stopped.text).not.toContain(free.text.slice(3, 6));
    const [biased] = [await text({ logit_bias: { 65: 100 }, max_tokens: 3 })];
    expect(biased.text).toBe(it.served.get("shared")?.tokenizer.decode([65, 65, 65]));
    expect((await text({ temperature: 1, seed: 7 })).text).toBe((await text({ temperature: 1, seed: 7 })).text);
    expect((await text({ temperature: 2 })).text).not.toBe((await text({ temperature: 2 })).text);
    expect((await text({ frequency_penalty: 2 })).text).not.toBe(free.text);
    const schema = {
      type: "object",
      properties: { a: { enum: [1, 2] } },
      required: ["a"],
      additionalProperties: false,
    };
    const format = { type: "json_schema", json_schema: { name: "x", schema, strict: true } };
    const written = await text({ response_format: format, max_tokens: 60 });
    if (written.finish_reason === "stop") expect([1, 2]).toContain(JSON.parse(written.text).a);
    else expect(written.text.trimStart()[0]).toBe("{");
  });

  test("count null as absent", async () => {
    const nulls = { stop: null, logit_bias: null, logprobs: null, seed: null, n: null, stream: null, tools: null };
    expect((await post(completions, { ...base, ...nulls })).status).toBe(200);
  });
});

describe("chat completions", () => {
  test("answer, whole and as a stream", async () => {
    const whole = await (await post(chats, chat)).json();
    expect(whole).toMatchObject({ object: "chat.completion", choices: [{ index: 0, message: { role: "assistant" } }] });
    const events = await eventsOf(await post(chats, { ...chat, stream: true }));
    expect(events[0].choices[0].delta).toEqual({ role: "assistant", content: "", refusal: null });
    expect(events.every(({ object }) => object === "chat.completion.chunk")).toBe(true);
    const content = events.map(({ choices }) => choices[0].delta.content ?? "").join("");
    expect(content).toBe(whole.choices[0].message.content);
    expect(events.at(-1).choices[0].finish_reason).toBe(whole.choices[0].finish_reason);
  });

  test("write a transcript for a base model", async () => {
    const messages = [
      { role: "developer", content: "be brief" },
      {
        role: "user",
        content: [
          { type: "text", text: "we" },
          { type: "text", text: " the" },
        ],
      },
    ];
    const answer = await (await post(chats, { ...chat, messages })).json();
    const transcript = "System: be brief\nUser: we the\nAssistant:";
    const same = await (await post(completions, { ...base, ignore_eos: false, prompt: transcript })).json();
    expect(answer.choices[0].message.content).toBe(same.choices[0].text);
    expect(answer.usage.prompt_tokens).toBe(same.usage.prompt_tokens);
  });

  test("give log-probabilities", async () => {
    const { choices } = await (await post(chats, { ...chat, logprobs: true, top_logprobs: 2 })).json();
    const { content } = choices[0].logprobs;
    expect(content.map(({ token }: { token: string }) => token).join("")).toBe(choices[0].message.content);
    expect(content[0].top_logprobs).toHaveLength(2);
    expect(content[0].bytes).toEqual([...new TextEncoder().encode(content[0].token)]);
  });

  test("find a conversation's beginning again", async () => {
    const long = { ...chat, messages: [{ role: "system", content: "people ".repeat(40) }, ...chat.messages] };
    await post(chats, long);
    const again = await (await post(chats, long)).json();
    expect(again.usage.prompt_tokens_details.cached_tokens).toBeGreaterThan(0);
  });
});

describe("beside completions", () => {
  test("models, health and metrics are told", async () => {
    const models = await (await fetch(`${it.url}/v1/models`)).json();
    expect(models.data.map(({ id }: { id: string }) => id)).toEqual([
      "shared",
      "unshared",
      "H16-MQA-lr0.01-seed1",
      "H16-MQA-CLA2-lr0.01-seed1",
    ]);
    expect(await (await fetch(`${it.url}/v1/models/shared`)).json()).toEqual(models.data[0]);
    expect(await (await fetch(`${it.url}/health`)).json()).toEqual({ status: "ok" });
    const metrics = await (await fetch(`${it.url}/metrics`)).text();
    for (const name of [
      "num_requests_running",
      "num_requests_waiting",
      "kv_cache_usage_perc",
      "prompt_tokens_total",
      "generation_tokens_total",
      "num_preemptions_total",
    ]) {
      expect(metrics).toMatch(new RegExp(`^vllm:${name}\\{model_name="shared"\\} \\d`, "m"));
    }
    expect(metrics).toMatch(/^vllm:request_success_total\{model_name="shared",finished_reason="length"\} [1-9]/m);
    expect(metrics).toMatch(/^vllm:time_to_first_token_seconds_count\{model_name="shared"\} [1-9]/m);
    const written = async () => {
      const text = await (await fetch(`${it.url}/metrics`)).text();
      return Number(/^vllm:generation_tokens_total\{model_name="shared"\} (\d+)/m.exec(text)?.[1]);
    };
    const before = await written();
    await post(completions, { ...base, n: 2 });
    expect((await written()) - before).toBe(8);
    const bytes = (name: string) =>
      Number(new RegExp(`^crosslayer:${name}\\{model_name="shared"\\} (\\d+)`, "m").exec(metrics)?.[1]);
    expect(bytes("kv_bytes_per_token_unshared")).toBe(2 * bytes("kv_bytes_per_token"));
  });

  test("the log names requests and says nothing of what they said", async () => {
    lines.length = 0;
    const secret = "establir la justice";
    const response = await post(
      completions,
      { ...base, prompt: secret, user: "me" },
      { ...json, "x-request-id": "mine-1" },
    );
    expect(response.headers.get("x-request-id")).toBe("mine-1");
    const { choices } = await response.json();
    const told = lines.map((line) => JSON.parse(line)).find(({ msg }) => msg === "completion");
    expect(told).toMatchObject({
      requestId: "mine-1",
      model: "shared",
      user: "me",
      completionTokens: 4,
      reason: "length",
    });
    expect(lines.join("")).not.toContain(secret);
    expect(lines.join("")).not.toContain(JSON.stringify(choices[0].text));
    const schema = { type: "string", pattern: `${secret}(?<x` };
    const refused = await post(completions, {
      ...base,
      response_format: { type: "json_schema", json_schema: { name: "x", schema } },
    });
    expect(refused.status).toBe(400);
    expect(lines.join("")).not.toContain(secret);
  });

  test("the description holds the schemas that check, and the page is whole", async () => {
    const description = await (await fetch(`${it.url}/openapi.json`)).json();
    expect(description.openapi).toBe("3.1.0");
    const { properties, required, additionalProperties } = description.components.schemas.CompletionRequest;
    expect(required).toEqual(["model", "prompt"]);
    expect(additionalProperties).toBe(false);
    expect(Object.keys(properties)).toContain("logit_bias");
    const answer = await fetch(`${it.url}/`);
    expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
    const page = await answer.text();
    const links = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path as string);
    expect(links.length).toBeGreaterThan(1);
    for (const path of [...links, "/docs"]) expect((await fetch(new URL(path, it.url))).status).toBe(200);
  });

  test("the page's own endpoints tell models, engines and the study", async () => {
    const { models, study, kvMemory } = await (await fetch(`${it.url}/api/models`)).json();
    expect([study, kvMemory]).toEqual([true, 4e6]);
    const [shared, unshared] = models;
    expect(shared.unsharedKvBytesPerToken).toBe(unshared.kvBytesPerToken);
    expect(shared.kvBytesPerToken * 2).toBe(unshared.kvBytesPerToken);
    const stats = await (await fetch(`${it.url}/api/stats?since=0`)).json();
    expect(stats.models.shared.blocks.total).toBeGreaterThan(0);
    expect(stats.history.length).toBeGreaterThan(0);
    for (const kind of ["queue", "firstToken", "perToken"]) {
      const { median, p95 } = stats.models.shared.latency[kind];
      expect(median).toBeGreaterThan(0);
      expect(p95).toBeGreaterThanOrEqual(median);
    }
    const load = (id: string) => fetch(`${it.url}/api/models/${id}/load`, { method: "POST" });
    expect(await (await load(unshared.id)).json()).toMatchObject({ id: unshared.id, loaded: true });
    expect((await load("nobody")).status).toBe(404);
    const reply = await fetch(`${it.url}/api/study`);
    const body = await reply.json();
    expect(body.results.map(({ id }: { id: string }) => id)).toEqual([
      "H16-MQA-lr0.01-seed1",
      "H16-MQA-CLA2-lr0.01-seed1",
    ]);
    expect(body.live).toMatchObject([{ name: "H16-MQA-CLA4", steps: 100, seed: 1, model: { sharing: [0, 0, 0, 0] } }]);
    expect(body.finding[0]).toContain("H16-MQA-CLA2 keeps 256 bytes");
    const again = await fetch(`${it.url}/api/study`, {
      headers: { "if-none-match": reply.headers.get("etag") as string },
    });
    expect(again.status).toBe(304);
    const asked = await post(completions, { ...base, model: body.results[1].id });
    expect(asked.status).toBe(200);
  });
});

describe("a large body", () => {
  const spaces = " ".repeat(100_000);
  const large = (body: object) => JSON.stringify(body).replace("{", `{${spaces}`);

  test("is answered as a small one", async () => {
    const ids = Array.from({ length: 400 }, () => 65);
    const bodies = [base, { ...base, prompt: ids }, { ...base, prompt: [ids, ids] }, { ...base, prompt: [...ids, -1] }];
    for (const body of [...bodies, { ...base, prompt: [...ids, 99_999] }, { ...base, stop: [5] }, { ...base, x: 1 }]) {
      const [one, other] = await Promise.all([post(completions, body), post(completions, large(body))]);
      const [small, same] = [await one.json(), await other.json()];
      expect([other.status, same.choices, same.error]).toEqual([one.status, small.choices, small.error]);
    }
    for (const broken of [`${spaces}{`, `"${spaces}"`, `${spaces}[]`]) {
      const { error } = await (await post(completions, broken)).json();
      expect(error.message).toMatch(/^body: (is not JSON|must be a JSON object)/);
    }
  });

  test("and one of many values is, for all that they ask", async () => {
    const many = { metadata: { x: Array(300).fill("x") } }; // asks nothing
    const call = (text: string) => ({
      role: "assistant",
      content: null,
      tool_calls: [{ id: "a", type: "function", function: { name: "weather", arguments: text } }],
    });
    const asked = (...messages: object[]) => ({ ...chat, messages: [...chat.messages, ...messages] });
    const parsedCall = structuredClone(call('{"city":"Oslo"}')); // as the openai client's own parse() gives it back
    Object.assign(parsedCall.tool_calls[0]?.function as object, { parsed_arguments: { city: "Oslo" } });
    const result = { role: "tool", tool_call_id: "a", content: "rain" };
    const withParsedCall = asked(parsedCall, result);
    const bodies = [
      chat,
      { ...chat, tools, tool_choice: "required" },
      asked(call('{"city":"Oslo"}'), result),
      asked(call("no JSON"), result),
      withParsedCall,
      asked(result),
      asked(call(`[${"1,".repeat(5000)}1]`), result),
      asked(...Array.from({ length: 3 }, () => call(`[${"1,".repeat(2000)}1]`))),
      asked(call("[".repeat(200)), result),
      { ...chat, messages: "x" },
      { ...chat, temperature: 3 },
    ];
    for (const body of bodies) {
      const [one, other] = await Promise.all([post(chats, body), post(chats, { ...body, ...many })]);
      const [small, same] = [await one.json(), await other.json()];
      expect(same.error).toEqual(small.error);
      if (body === withParsedCall) expect(small.error).toBeUndefined();
      expect(same.choices?.[0].message.content).toEqual(small.choices?.[0].message.content);
      const argumentsOf = ({ choices }: typeof same) => choices?.[0].message.tool_calls?.[0].function.arguments;
      expect(argumentsOf(same)).toEqual(argumentsOf(small));
    }
  });

  test("finds no room where many others are never finished, until they have gone", async () => {
    const head = (length: number) =>
      `POST ${completions} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n{`;
    const begun = Array.from({ length: 64 }, () => connect(Number(new URL(it.url).port), "127.0.0.1"));
    for (const socket of begun) socket.write(head(200_000));
    const status = async (body: unknown) => (await post(completions, body)).status;
    await expect.poll(() => status(large(base))).toBe(429);
    const chunked = await fetch(`${it.url}${completions}`, {
      ...{ method: "POST", headers: json, body: new Blob([large(base)]).stream(), duplex: "half" },
    } as RequestInit);
    expect([chunked.status, chunked.headers.get("retry-after")]).toEqual([429, "1"]);
    expect(await status(base)).toBe(200); // a small one needs none
    for (const socket of begun) socket.destroy();
    await expect.poll(() => status(large(base))).toBe(200);
  });

  test("many of them are answered each for itself", async () => {
    const answers = await Promise.all(
      Array.from({ length: 12 }, async (_, i) => (await post(completions, large({ ...base, n: 1 + (i % 3) }))).json()),
    );
    expect(answers.map(({ choices }) => choices.length)).toEqual(answers.map((_, i) => 1 + (i % 3)));
  });

  test("a long text has the tokens of a short one, and is read aside", async () => {
    const tokenizer = it.served.get("shared")?.tokenizer;
    const prompt = "we the people — 正義 🎈, ".repeat(1000);
    const answers = ["shared", "unshared"].map(async (model) => (await post("/tokenize", { model, prompt })).json());
    for (const { tokens, count, token_strs: texts } of await Promise.all(answers)) {
      expect(tokens).toEqual([...(tokenizer?.prefix ?? []), ...(tokenizer?.encode(prompt) ?? [])]);
      expect([count, texts]).toEqual([tokens.length, null]);
    }
  });

  test("tokens become text again", async () => {
    const tokenizer = it.served.get("shared")?.tokenizer;
    const ids = [...(tokenizer?.encode("we the people — 正義 🎈") ?? [])];
    const ask = async (tokens: unknown) => {
      const answer = await post("/detokenize", { model: "shared", tokens });
      return [answer.status, await answer.json()];
    };
    expect(await ask(ids)).toEqual([200, { prompt: "we the people — 正義 🎈" }]);
    expect(await ask([])).toEqual([200, { prompt: "" }]);
    const many = Array.from({ length: 12_000 }, () => ids[0]);
    expect(await ask(many)).toEqual([200, { prompt: tokenizer?.decode(many as number[]) }]);
    for (const wrong of [[-1], ["a"], 5, [99_999]]) {
      expect(await ask(wrong)).toMatchObject([400, { error: { param: "tokens" } }]);
    }
    expect(await (await fetch(`${it.url}/version`)).json()).toEqual({ version: "0.0.0" });
  });
});
