// The clients that people have, unmodified: OpenAI's own and the Vercel AI SDK's provider for compatible servers.

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, isStepCount, jsonSchema, Output, streamText, tool } from "ai";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Serving, serving } from "./serving.ts";

let it: Serving;
beforeAll(async () => {
  const calls =
    "{% if m.tool_calls %}{% for c in m.tool_calls %}" +
    '{{ {"name": c.function.name, "parameters": c.function.arguments} | tojson }}{% endfor %}{% endif %}';
  const template =
    "{{ bos_token }}{% if tools %}{% for t in tools %}{{ t | tojson }}<|python_tag|>{% endfor %}{% endif %}" +
    `{% for m in messages %}[{{ m.role }}]{{ m.content }}${calls}\n{% endfor %}[assistant]`;
  it = await serving({ apiKey: "sk-test", template });
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
    await expect.poll(() => it.served.get("shared")?.engine?.stats().running).toBe(0);
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

describe("tools", () => {
  const client = () => new OpenAI({ baseURL: `${it.url}/v1`, apiKey: "sk-test", maxRetries: 0 });
  const parameters = {
    type: "object" as const,
    properties: {
      city: { type: "string" as const, enum: ["Oslo", "Rome"] },
      days: { type: "integer" as const, minimum: 1, maximum: 7 },
    },
    required: ["city", "days"],
    additionalProperties: false,
  };
  const weather = { type: "function" as const, function: { name: "weather", description: "tells it", parameters } };
  const asked = { model: "shared", messages, tools: [weather], seed: 3 };
  const right = { city: expect.stringMatching(/^(Oslo|Rome)$/), days: expect.any(Number) };

  test("the openai client's loop calls them and goes on with what they say", async () => {
    const given: unknown[] = [];
    const run = client().chat.completions.runTools({
      ...asked,
      tool_choice: { type: "function", function: { name: "weather" } },
      tools: [
        {
          type: "function",
          function: {
            ...weather.function,
            parse: JSON.parse,
            function: (args: object) => {
              given.push(args);
              return "sun";
            },
          },
        },
      ],
    });
    const final = await run.finalMessage();
    expect(given).toEqual([right]);
    expect(final.role).toBe("assistant");
    const roles = run.messages.map(({ role }) => role);
    expect(roles.slice(0, 3)).toEqual(["user", "assistant", "tool"]);
  });

  test("the openai client's stream puts calls together, the same as whole", async () => {
    const body = { ...asked, tool_choice: "required" as const };
    const whole = (await client().chat.completions.create(body)).choices[0];
    const stream = client().chat.completions.stream(body);
    const pieces: string[] = [];
    stream.on("tool_calls.function.arguments.delta", ({ arguments_delta: piece }) => pieces.push(piece));
    const final = (await stream.finalChatCompletion()).choices[0];
    expect([whole?.finish_reason, final?.finish_reason]).toEqual(["tool_calls", "tool_calls"]);
    const [call, streamed] = [whole, final].map((choice) => choice?.message.tool_calls?.[0]);
    if (call?.type !== "function" || streamed?.type !== "function") throw new Error("no call");
    expect(call.id).toMatch(/^call_\w{24}$/);
    expect(JSON.parse(call.function.arguments)).toEqual(right);
    expect(streamed.function).toMatchObject({ name: "weather", arguments: call.function.arguments });
    expect(pieces.join("")).toBe(call.function.arguments);
    expect(pieces.length).toBeGreaterThan(1); // they come as they are written
    expect(whole?.message.content).toBeNull();
  });

  test("the AI SDK's loop calls them, whole and streaming", async () => {
    const provider = createOpenAICompatible({ name: "crosslayer", baseURL: `${it.url}/v1`, apiKey: "sk-test" });
    const given: unknown[] = [];
    const settings = {
      model: provider("shared"),
      prompt: "we the people",
      seed: 5,
      maxOutputTokens: 200,
      stopWhen: isStepCount(2),
      prepareStep: ({ stepNumber }: { stepNumber: number }) => ({
        toolChoice: stepNumber === 0 ? ("required" as const) : ("none" as const),
      }),
      tools: {
        weather: tool({
          description: "tells it",
          inputSchema: jsonSchema<{ city: string; days: number }>(parameters),
          execute: async (args) => {
            given.push(args);
            return "sun";
          },
        }),
      },
    };
    const { steps } = await generateText(settings);
    expect(steps.map(({ finishReason }) => finishReason)[0]).toBe("tool-calls");
    expect(steps).toHaveLength(2);
    const result = streamText(settings);
    const kinds = new Set<string>();
    for await (const { type } of result.fullStream) kinds.add(type);
    expect([...kinds]).toEqual(expect.arrayContaining(["tool-input-delta", "tool-call", "tool-result", "finish"]));
    expect(given.length).toBeGreaterThanOrEqual(2);
    for (const args of given) expect(args).toEqual(right);
  });

  test("the whole conversation comes back, as the client has it", async () => {
    const first = await client().chat.completions.create({ ...asked, tool_choice: "required" });
    const message = first.choices[0]?.message as OpenAI.ChatCompletionMessage;
    const again = await client().chat.completions.create({
      ...asked,
      max_tokens: 5,
      tool_choice: "auto",
      messages: [
        ...messages,
        message,
        { role: "tool", tool_call_id: message.tool_calls?.[0]?.id as string, content: [{ type: "text", text: "sun" }] },
        { role: "user", content: "and now?" },
      ],
    });
    expect(again.choices[0]?.message.content).toBeTypeOf("string");
  });

  test("a template that knows tools is given them, and says how they are called", async () => {
    const body = { ...asked, model: "unshared" };
    const without = await client().chat.completions.create({ model: "unshared", messages, max_tokens: 1 });
    const { choices, usage } = await client().chat.completions.create({ ...body, tool_choice: "required" });
    expect(usage?.prompt_tokens).toBeGreaterThan((without.usage?.prompt_tokens ?? 0) + 20);
    const message = choices[0]?.message as OpenAI.ChatCompletionMessage;
    const [call] = message.tool_calls ?? [];
    if (call?.type !== "function") throw new Error("no call");
    expect([choices[0]?.finish_reason, call.function.name]).toEqual(["tool_calls", "weather"]);
    expect(JSON.parse(call.function.arguments)).toEqual(right);
    const answered = [...messages, message, { role: "tool" as const, tool_call_id: call.id, content: "sun" }];
    const again = await client().chat.completions.create({ ...body, messages: answered, max_tokens: 2 });
    expect(again.usage?.prompt_tokens).toBeGreaterThan(usage?.prompt_tokens as number);
  });

  test.each([
    ["[TOOL_CALLS] [", /^[0-9a-f]{9}$/],
    ["<tool_call>\n<function=x>\n<parameter=y>", /^call_\w{24}$/],
    ["<tool_call>x\n<arg_key>", /^call_\w{24}$/],
    ["[func_name1(params_name1=params_value1)]", /^call_\w{24}$/],
  ])("a template that spells calls %j: the stream says the same as the whole", async (spelling, id) => {
    await using other = await serving({ template: `{# ${spelling} #}{{ tools | tojson }}{{ messages[0].content }}` });
    const client = new OpenAI({ baseURL: `${other.url}/v1`, apiKey: "sk-test", maxRetries: 0 });
    const body = { ...asked, model: "unshared", tool_choice: "required" as const };
    const whole = (await client.chat.completions.create(body)).choices[0];
    const final = (await client.chat.completions.stream(body).finalChatCompletion()).choices[0];
    const [call, streamed] = [whole, final].map((choice) => choice?.message.tool_calls?.[0]);
    if (call?.type !== "function" || streamed?.type !== "function") throw new Error("no call");
    expect(call.id).toMatch(id);
    expect(JSON.parse(call.function.arguments)).toEqual(right);
    expect(streamed.function).toMatchObject({ name: "weather", arguments: call.function.arguments });
    expect([whole?.finish_reason, final?.finish_reason]).toEqual(["tool_calls", "tool_calls"]);
    expect(whole?.message.content).toBeNull();
  });

  test("what is not here says what to use instead", async () => {
    await expect(client().responses.create({ model: "shared", input: "hi" })).rejects.toThrow(
      /use POST \/v1\/chat\/completions/,
    );
    await expect(client().embeddings.create({ model: "shared", input: "hi" })).rejects.toThrow(/no embeddings/);
  });
});
