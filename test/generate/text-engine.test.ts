// What the text side of the engine adds to the core, in this process: errors that name their request, and nothing left
// behind by requests that could not begin.

import { expect, test } from "vitest";
import { EngineCore } from "../../src/engine/core.ts";
import { TextEngine, type TextEvent } from "../../src/generate/text-engine.ts";
import { namedModel } from "../../src/model/name.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { trainBpe } from "../../src/text/bpe-training.ts";
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
