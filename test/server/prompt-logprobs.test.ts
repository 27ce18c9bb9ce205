// What evaluation harnesses ask of the server: log-probabilities of prompts, and tokens of texts.

import { afterAll, beforeAll, expect, test } from "vitest";
import { type Serving, serving } from "./serving.ts";

let it: Serving;
beforeAll(async () => {
  it = await serving();
});
afterAll(() => it[Symbol.asyncDispose]());

const post = (path: string, body: object) =>
  fetch(`${it.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
const json = async (path: string, body: object) => {
  const response = await post(path, body);
  expect(response.status).toBe(200);
  return response.json();
};
const base = { model: "shared", echo: true, logprobs: 2, temperature: 0, max_tokens: 3 };

/** The definition: each token's log-probability after those before it, asked for one token at a time. */
async function oneByOne(ids: readonly number[]): Promise<number[]> {
  const found: number[] = [];
  for (let i = 1; i < ids.length; i++) {
    const body = { model: "shared", prompt: ids.slice(0, i), max_tokens: 1, temperature: 0, logprobs: 0 };
    const [choice] = (await json("/v1/completions", { ...body, logit_bias: { [ids[i] as number]: 100 } })).choices;
    found.push(choice.logprobs.token_logprobs[0]); // of the model's own distribution, before biases
  }
  return found;
}

test("a prompt's tokens have the log-probabilities that they have one by one", async () => {
  const { tokens: ids } = await json("/tokenize", {
    model: "shared",
    prompt: "we the people of the",
    add_special_tokens: false,
  });
  const { choices } = await json("/v1/completions", { ...base, prompt: [ids, ids.slice(0, 3)] });
  const wanted = await oneByOne(ids);
  for (const [i, count] of [ids.length, 3].entries()) {
    const { tokens, token_logprobs: own, top_logprobs: top, text_offset: offsets } = choices[i].logprobs;
    expect(own).toHaveLength(count + 3);
    expect([own[0], top[0]]).toEqual([null, null]);
    for (let at = 1; at < count; at++) {
      expect(own[at]).toBeCloseTo(wanted[at - 1] as number, 4);
      expect(Math.max(...(Object.values(top[at]) as number[]))).toBeGreaterThanOrEqual(own[at]);
    }
    expect(tokens.join("")).toBe(choices[i].text);
    expect(offsets).toEqual(tokens.map((_: string, at: number) => tokens.slice(0, at).join("").length));
  }
});

test("a text's tokens are all told, the first after the token that texts begin with", async () => {
  const prompt = "we the people";
  const { tokens: ids } = await json("/tokenize", { model: "shared", prompt });
  const { choices, usage } = await json("/v1/completions", { ...base, prompt, max_tokens: 0 });
  const wanted = await oneByOne(ids);
  expect(choices[0].text).toBe(prompt);
  expect(choices[0].logprobs.tokens.join("")).toBe(prompt);
  for (const [i, logprob] of choices[0].logprobs.token_logprobs.entries())
    expect(logprob).toBeCloseTo(wanted[i] as number, 4);
  expect(choices[0].logprobs.token_logprobs).toHaveLength(ids.length - 1);
  expect(choices[0].finish_reason).toBe("length");
  expect(usage).toMatchObject({ prompt_tokens: ids.length, completion_tokens: 0 });
});

test("events tell the same", async () => {
  const body = { ...base, prompt: "we the people" };
  const [whole] = (await json("/v1/completions", body)).choices;
  const stream = await (await post("/v1/completions", { ...body, stream: true })).text();
  const events = stream.split("\n\n").filter((event) => event.startsWith("data: {"));
  const told = events.map((event) => JSON.parse(event.slice(6)).choices[0]);
  expect(told.map(({ text }) => text).join("")).toBe(whole.text);
  for (const field of ["tokens", "token_logprobs", "top_logprobs", "text_offset"]) {
    expect(told.flatMap(({ logprobs }) => logprobs[field])).toEqual(whole.logprobs[field]);
  }
});

test("a text that ends at once still has one token more than its prompt, as lm-eval expects", async () => {
  const { tokens: ids } = await json("/tokenize", { model: "shared", prompt: "we the people" });
  const [next] = (await json("/tokenize", { model: "shared", prompt: " the", add_special_tokens: false })).tokens;
  const forced = { ...base, prompt: ids, max_tokens: 1, logit_bias: { [next]: 100 } };
  const [free] = (await json("/v1/completions", forced)).choices;
  const [ended] = (await json("/v1/completions", { ...forced, stop_token_ids: [next] })).choices;
  expect(ended.finish_reason).toBe("stop");
  expect(ended.logprobs.token_logprobs).toEqual(free.logprobs.token_logprobs);
});

test("tokens and texts are each other's", async () => {
  const prompt = "we the — 正義 🎈";
  const bare = await json("/tokenize", { model: "shared", prompt, add_special_tokens: false, return_token_strs: true });
  expect(bare).toMatchObject({ count: bare.tokens.length, max_model_len: 512 });
  expect(bare.token_strs).toHaveLength(bare.count);
  expect((await json("/detokenize", { model: "shared", tokens: bare.tokens })).prompt).toBe(prompt);
  const begun = await json("/tokenize", { prompt });
  expect(begun.tokens.slice(1)).toEqual(bare.tokens);
  expect(begun.token_strs).toBeNull();
  const info = await (await fetch(`${it.url}/tokenizer_info?model=shared`)).json();
  expect((await json("/tokenize", { prompt: info.eos_token, add_special_tokens: false })).tokens).toEqual([
    begun.tokens[0],
  ]);
  expect(info).toMatchObject({ bos_token: info.eos_token, chat_template: null, vocab_size: 300 });
});

test.each([
  ["/tokenize", { prompt: 5 }, 400, "prompt"],
  ["/tokenize", {}, 400, "prompt"],
  ["/tokenize", { prompt: "x", model: "none" }, 404, "model"],
  ["/tokenize", { prompt: "x", text: "y" }, 400, "text"],
] as const)("%s refuses %j", async (path, body, status, param) => {
  const response = await post(path, body);
  expect(response.status).toBe(status);
  expect((await response.json()).error.param).toBe(param);
});
