// The clients that people have, unmodified: OpenAI's own and the Vercel AI SDK's provider for compatible servers.

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, jsonSchema, Output, streamText } from "ai";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Serving, serving } from "./serving.ts";

let it: Serving;
beforeAll(async () => {
  it = await serving({ apiKey: "sk-test" });
});
afterAll(() => it[Symbol.asyncDispose]());

const messages = [{ role: "user" as const, content: "we the people" }];

describe("openai", () => {
  const client = (apiKey = "sk-test") => new OpenAI({ baseURL: `${it.url}/v1`, apiKey, maxRetries: 0 });

  test("lists models", async () => {
    const ids = [];
    for await (const { id } of client().models.list()) ids.push(id);
    expect(ids).toEqual(["shared", "unshared"]);
    expect((await client().models.retrieve("shared")).owned_by).toBe("crosslayer");
  });

  test("chats, whole and streaming, to the same words", async () => {
    const asked = {
      model: "shared",
      messages,
      max_completion_tokens: 12,
      temperature: 0,
      top_logprobs: 1,
      logprobs: true,
    };
    const whole = await client().chat.completions.create(asked);
    const stream = await client().chat.completions.create({
      ...asked,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let usage: OpenAI.CompletionUsage | null | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      usage = chunk.usage;
    }
    expect(text).toBe(whole.choices[0]?.message.content);
    expect(usage).toEqual(whole.usage);
    expect(whole.choices[0]?.logprobs?.content?.length).toBe(whole.usage?.completion_tokens);
  });

  test("its stream helper puts a message together", async () => {
    const runner = client().chat.completions.stream({ model: "shared", messages, max_tokens: 8, temperature: 0 });
    const final = await runner.finalChatCompletion();
    expect(final.choices[0]?.message.role).toBe("assistant");
    expect(final.choices[0]?.finish_reason).toBe("length");
  });

  test("completes", async () => {
    const { choices } = await client().completions.create({
      model: "shared",
      prompt: ["we", "the"],
      max_tokens: 4,
      n: 2,
    });
    expect(choices.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
  });

  test("abandons a stream, and the engine with it", async () => {
    const stream = await client().completions.create({ model: "shared", prompt: "we", max_tokens: 480, stream: true });
    for await (const _ of stream) break;
    await expect.poll(() => it.served.get("shared")?.engine?.stats().running, { timeout: 5000 }).toBe(0);
  });

  test("throws its own errors", async () => {
    await expect(client("sk-wrong").models.list()).rejects.toThrow(OpenAI.AuthenticationError);
    const create = (body: object) => client().completions.create({ model: "shared", prompt: "x", ...body });
    await expect(create({ model: "nothing" })).rejects.toThrow(OpenAI.NotFoundError);
    await expect(create({ temperature: 9 })).rejects.toThrow(OpenAI.BadRequestError);
    await expect(create({ suffix: "x" })).rejects.toMatchObject({ param: "suffix", code: "unsupported_parameter" });
  });
});

describe("the AI SDK", () => {
  const provider = () =>
    createOpenAICompatible({
      name: "crosslayer",
      baseURL: `${it.url}/v1`,
      apiKey: "sk-test",
      supportsStructuredOutputs: true,
      includeUsage: true,
    });

  test("generates", async () => {
    const { text, usage, finishReason } = await generateText({
      model: provider()("shared"),
      prompt: "we the people",
      maxOutputTokens: 10,
      temperature: 0,
    });
    expect(text.length).toBeGreaterThan(0);
    expect(usage.outputTokens).toBe(10);
    expect(finishReason).toBe("length");
  });

  test("streams", async () => {
    const { textStream, usage } = streamText({
      model: provider()("unshared"),
      messages,
      maxOutputTokens: 10,
      temperature: 0,
      seed: 3,
      stopSequences: ["zzz"],
    });
    let text = "";
    for await (const part of textStream) text += part;
    expect(text.length).toBeGreaterThan(0);
    expect((await usage).outputTokens).toBeGreaterThan(0);
  });

  test("gets an object of a schema", async () => {
    const schema = jsonSchema<{ vote: string }>({
      type: "object",
      properties: { vote: { type: "string", enum: ["aye", "nay"] } },
      required: ["vote"],
      additionalProperties: false,
    });
    const { output } = await generateText({
      model: provider()("shared"),
      prompt: "your vote?",
      output: Output.object({ schema }),
      temperature: 0,
    });
    expect(["aye", "nay"]).toContain(output.vote);
  });
});
