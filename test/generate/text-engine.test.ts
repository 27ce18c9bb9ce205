// What the text side of the engine adds to the core, in this process: errors that name their request, and nothing left
// behind by requests that could not begin.

import { expect, test } from "vitest";
import { EngineCore } from "../../dist/engine/core.js";
import { TextEngine, type TextEvent } from "../../dist/generate/text-engine.js";
import { namedModel } from "../../src/model/name.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { trainBpe } from "../../src/text/bpe-training.ts";
import { loadTokenizer } from "../../src/text/tokenizer.ts";
import { lively } from "../model/tiny.ts";
import { cpu1 } from "../runtime/program.ts";

const tokenizer = trainBpe(["we the people of the united states ".repeat(20)], { vocab: 270 });
const model = namedModel("H8-MQA-CLA2", {
  ...{ layers: 2, width: 16, mlpWidth: 32, vocab: tokenizer.vocab, context: 64 },
  tiedEmbeddings: false,
});

async function create(spoilt?: number): Promise<TextEngine> {
  const weights = lively(model, 1);
  const embed = weights.embed as Tensor<"float32">;
  if (spoilt !== undefined) embed.data.fill(Number.NaN, spoilt * model.width, (spoilt + 1) * model.width);
  return new TextEngine(await EngineCore.create(cpu1, model, weights, { kvMemory: 1 << 20 }), tokenizer);
}

/** An engine whose model scores `extra` tokens more than the tokenizer has, all of them likelier than any other. */
async function padded(extra: number): Promise<TextEngine> {
  const wide = { ...model, vocab: tokenizer.vocab + extra };
  const weights = lively(wide, 1);
  const head = weights.head as Tensor<"float32">;
  // Both ways: whichever the sign of the hidden state, one of two rows has a large logit.
  for (let row = tokenizer.vocab; row < wide.vocab; row++) {
    head.data.fill(row % 2 ? 50 : -50, row * 16, (row + 1) * 16);
  }
  return new TextEngine(
    await EngineCore.create(cpu1, wide, weights, { kvMemory: 1 << 20 }),
    loadTokenizer(tokenizer.json, { modelVocab: wide.vocab }),
  );
}

async function finish(engine: TextEngine): Promise<TextEvent[]> {
  const events: TextEvent[] = [];
  while (!engine.idle) events.push(...(await engine.step()));
  return events;
}

test("logits that are no numbers name the request", async () => {
  const [bad] = tokenizer.encode("Q");
  using engine = await create(bad);
  await engine.open(4, "we", { maxTokens: 3, temperature: 0, ignoreEnd: true, logitBias: { [bad as number]: -100 } });
  await engine.open(7, "weQ", { maxTokens: 3, n: 2 });
  const events = await finish(engine);
  const failed = events.filter((event) => "error" in event);
  expect(failed).toHaveLength(1); // once for all its texts
  expect(failed[0]).toMatchObject({
    request: 7,
    error: {
      name: "NonFiniteLogitsError",
      message: expect.stringMatching(/^request 7, text 0, after \d+ \+ 0 tokens: /),
    },
  });
  const ended = events.filter((event) => "chunk" in event && event.chunk.finishReason);
  expect(ended).toMatchObject([{ request: 4, chunk: { finishReason: "length" } }]);
  expect(engine.core.stats().blocks.used).toBe(0);
});

test("a request that cannot begin leaves nothing behind", async () => {
  using engine = await create();
  await expect(engine.open(0, "we", { n: 3, maxTokens: 1000 })).rejects.toThrow(/context of 64/);
  await expect(engine.open(1, "we", { n: 2, stop: ["ok", ""] })).rejects.toThrow(/stop/);
  await expect(engine.open(2, "we", { format: "json", topK: -1 })).rejects.toThrow(/top-k/);
  expect(engine.idle).toBe(true);
  await engine.open(3, [1, 2, 3], { maxTokens: 2, ignoreEnd: true });
  expect((await finish(engine)).length).toBeGreaterThan(0);
});

test.each([2, 18, 64])("tokens that only the model has (%i) are never drawn, and decode to nothing", async (extra) => {
  using engine = await padded(extra);
  await engine.open(0, "we", { maxTokens: 12, temperature: 0, ignoreEnd: true, logprobs: 2 });
  await engine.open(1, "we", { maxTokens: 12, temperature: 1, ignoreEnd: true, format: "json" });
  await engine.open(2, [1, tokenizer.vocab + 1], { maxTokens: 2, ignoreEnd: true });
  const events = await finish(engine);
  const chunks = events.flatMap((event) => ("chunk" in event ? [event.chunk] : []));
  expect(chunks).toHaveLength(events.length);
  const drawn = chunks.flatMap(({ tokens }) => tokens);
  expect(drawn.length).toBeGreaterThan(13);
  expect(Math.max(...drawn)).toBeLessThan(tokenizer.vocab);
  const tops = chunks.flatMap(({ logprobs = [] }) => logprobs.flatMap(({ top }) => top));
  const beyond = tops.filter(({ token }) => token >= tokenizer.vocab); // the model's own opinion is told
  expect(beyond.length).toBeGreaterThan(0);
  for (const { text } of beyond) expect(text).toBe("");
});

test("a prompt begins with the tokenizer's prefix, and any of its ends ends the text", async () => {
  const json = structuredClone(tokenizer.json) as { added_tokens: object[]; post_processor: unknown };
  json.added_tokens.push({ id: tokenizer.vocab, content: "<|im_end|>", special: true });
  const begin = { SpecialToken: { id: "x" } };
  json.post_processor = {
    ...{ type: "TemplateProcessing", single: [begin, { Sequence: { id: "A" } }] },
    special_tokens: { x: { ids: [5, 6] } },
  };
  const chat = loadTokenizer(json);
  const wide = { ...model, vocab: chat.vocab };
  const core = await EngineCore.create(cpu1, wide, lively(wide, 1), { kvMemory: 1 << 20 });
  using engine = new TextEngine(core, chat);
  for (const [request, end] of [...chat.ends].entries()) {
    await engine.open(request, "we", { maxTokens: 5, temperature: 0, logitBias: { [end]: 100 } });
    const events = await finish(engine);
    const promptTokens = 2 + chat.encode("we").length;
    expect(events.at(-1)).toMatchObject({ chunk: { finishReason: "stop", text: "", usage: { promptTokens } } });
  }
});
