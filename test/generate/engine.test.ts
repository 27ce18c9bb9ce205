// The engine as programs use it, from the built package and in a process of its own, on a small run.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type Chunk, Engine, EngineCrash, type GenerateOptions, namedModel, RunDirectory, trainBpe } from "crosslayer";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lively } from "../model/tiny.ts";

const scratch = mkdtempSync(join(tmpdir(), "crosslayer-engine-"));
const run = join(scratch, "run");
afterAll(() => rmSync(scratch, { recursive: true }));

const text =
  "we the people of the united states, in order to form a more perfect union — établir la justice, 正義 🎈. ";
let engine: Engine;

beforeAll(async () => {
  const { json, vocab } = trainBpe([text.repeat(20)], { vocab: 300 });
  const model = namedModel("H16-GQA2-CLA2", { layers: 4, width: 64, mlpWidth: 160, vocab, context: 512 });
  const directory = await RunDirectory.create(run, { name: "small", model, recipe: {}, data: {} }, json);
  await directory.saveModel(lively(model, 5));
  engine = await Engine.load(run, { kvMemory: "2MB", threads: 1 });
});
afterAll(() => engine.close());

interface Text {
  text: string;
  tokens: number[];
  last?: Chunk;
}

/** Everything of a request, by index. */
async function collect(
  prompt: string,
  options: GenerateOptions & { signal?: AbortSignal } = {},
  on = engine,
): Promise<Text[]> {
  const texts = Array.from({ length: options.n ?? 1 }, (): Text => ({ text: "", tokens: [] }));
  for await (const chunk of on.generate(prompt, options)) {
    const entry = texts[chunk.index] as Text;
    entry.text += chunk.text;
    entry.tokens.push(...chunk.tokens);
    if (chunk.finishReason) entry.last = chunk;
  }
  return texts;
}

const idle = async (on = engine) => {
  while (on.stats().running + on.stats().waiting > 0) await pause(20);
  return on.stats();
};
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("text", () => {
  test("is fixed by its seed and told with its tokens, its end and what it took", async () => {
    const [one] = await collect("we the", { maxTokens: 12, seed: 3, ignoreEnd: true });
    const [two] = await collect("we the", { maxTokens: 12, seed: 3, ignoreEnd: true });
    expect(two?.tokens).toEqual(one?.tokens);
    expect(one?.tokens).toHaveLength(12);
    expect(one?.last).toMatchObject({ finishReason: "length", usage: { completionTokens: 12 } });
    const [other] = await collect("we the", { maxTokens: 12, seed: 4, ignoreEnd: true });
    expect(other?.tokens).not.toEqual(one?.tokens);
  });

  test("never holds half a character", async () => {
    const pieces: string[] = [];
    const options = { maxTokens: 200, temperature: 1.5, ignoreEnd: true };
    for await (const { text } of engine.generate("正義 🎈", options)) pieces.push(text);
    for (const piece of pieces) expect(Buffer.from(piece, "utf8").toString("utf8")).toBe(piece); // no lone surrogates
  });

  test("stops before a stop text, wherever tokens end", async () => {
    const options = { maxTokens: 60, temperature: 0, ignoreEnd: true };
    const [free] = await collect("we", options);
    const whole = free?.text as string;
    for (const [from, to] of [
      [3, 5],
      [10, 16],
      [20, 21],
    ] as const) {
      const stop = whole.slice(from, to);
      const [stopped] = await collect("we", { ...options, stop: ["never there", stop] });
      expect(stopped?.text).toBe(whole.slice(0, whole.indexOf(stop)));
      expect(stopped?.last?.finishReason).toBe("stop");
    }
  });

  test("comes n times from one prompt", async () => {
    const prompt = text.repeat(3);
    const texts = await collect(prompt, { n: 4, maxTokens: 6, seed: 9, ignoreEnd: true });
    expect(new Set(texts.map(({ tokens }) => tokens.join())).size).toBeGreaterThan(1);
    for (const [i, { tokens, last }] of texts.entries()) {
      const [alone] = await collect(prompt, { maxTokens: 6, seed: 9 + i, ignoreEnd: true });
      expect(alone?.tokens).toEqual(tokens);
      if (i > 0) expect(last?.usage?.cachedTokens).toBeGreaterThan(0);
    }
  });

  test("has log-probabilities where asked", async () => {
    for await (const { tokens, logprobs } of engine.generate("we", { maxTokens: 4, temperature: 0, logprobs: 2 })) {
      expect((logprobs ?? []).map(({ token }) => token)).toEqual(tokens);
      for (const { token, logprob, top } of logprobs ?? []) {
        expect(top).toHaveLength(2);
        expect(top[0]).toMatchObject({ token, logprob });
        expect(logprob).toBeLessThanOrEqual(0);
      }
    }
  });
});

test("a format is kept: JSON of a schema, whatever the model would say", async () => {
  const jsonSchema = {
    type: "object",
    properties: { kind: { enum: ["people", "states"] }, count: { type: "integer", minimum: 0, maximum: 50 } },
    required: ["kind", "count"],
    additionalProperties: false,
  };
  const found = await collect("we", { n: 5, temperature: 2, format: { jsonSchema }, seed: 1 });
  for (const { text, last } of found) {
    const { kind, count, ...rest } = JSON.parse(text);
    expect(["people", "states"]).toContain(kind);
    expect(Number.isInteger(count) && count >= 0 && count <= 50).toBe(true);
    expect(rest).toEqual({});
    expect(last?.finishReason).toBe("stop");
  }
  await expect(collect("we", { format: { jsonSchema: { type: "strange" } } })).rejects.toThrow(/JSON schema/);
  expect((await idle()).blocks.used).toBe(0);
});

describe("leaving", () => {
  test("by break, by an error or by a signal frees the blocks", async () => {
    const long = { maxTokens: 400, ignoreEnd: true };
    for await (const _ of engine.generate("we", long)) break;
    expect((await idle()).blocks.used).toBe(0);
    const failing = (async () => {
      for await (const _ of engine.generate("we", long)) throw new Error("consumer");
    })();
    await expect(failing).rejects.toThrow("consumer");
    expect((await idle()).blocks.used).toBe(0);
    const controller = new AbortController();
    const reasons: (string | undefined)[] = [];
    for await (const { finishReason } of engine.generate("we", { ...long, n: 2, signal: controller.signal })) {
      reasons.push(finishReason);
      controller.abort();
    }
    expect(reasons.slice(-2)).toEqual(["abort", "abort"]);
    expect((await idle()).blocks.used).toBe(0);
    const ends = new Map<number, string>();
    const stopping = new AbortController();
    for await (const { index, finishReason } of engine.generate("we", {
      n: 3,
      maxTokens: 2,
      signal: stopping.signal,
    })) {
      if (finishReason) ends.set(index, finishReason);
      stopping.abort();
    }
    expect([...ends.keys()].sort()).toEqual([0, 1, 2]); // every text has its last chunk, whenever it ended
    const [never] = await collect("we", { signal: AbortSignal.abort() });
    expect(never).toMatchObject({ text: "", last: { finishReason: "abort" } });
  });

  test("while a hundred others go on changes nothing for them", async () => {
    const expected = await collect("we the people", { maxTokens: 20, temperature: 0, ignoreEnd: true });
    const requests = Array.from({ length: 100 }, async (_, i) => {
      const options = { maxTokens: 20, temperature: 0, ignoreEnd: true };
      if (i % 3 > 0) return collect("we the people", options);
      let left = i % 7;
      for await (const _ of engine.generate("we the people", options)) if (left-- === 0) break;
      return undefined;
    });
    for (const found of await Promise.all(requests)) {
      if (found) expect(found[0]?.tokens).toEqual(expected[0]?.tokens);
    }
    const { blocks } = await idle();
    expect([blocks.used, blocks.free + blocks.cached]).toEqual([0, blocks.total]);
  });
});

test("the caller's event loop never waits", async () => {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  await collect("we", { maxTokens: 20, ignoreEnd: true }); // code is compiled
  delay.enable();
  const [start, before] = [performance.now(), process.cpuUsage()];
  await Promise.all(
    Array.from({ length: 16 }, (_, i) => collect(text.repeat(4), { maxTokens: 60, seed: i, ignoreEnd: true })),
  );
  const { user, system } = process.cpuUsage(before);
  delay.disable();
  expect((user + system) / 1000 / (performance.now() - start)).toBeLessThan(0.5); // a model here would take it all
  expect(delay.percentile(50) / 1e6).toBeLessThan(20); // the worst is the machine's, where it is busy
});

describe("mistakes", () => {
  test("are refused with the numbers, and nobody else notices", async () => {
    const going = collect("we", { maxTokens: 50, temperature: 0, ignoreEnd: true });
    await expect(collect("we", { topP: 2 })).rejects.toThrow(/top-p: must be above 0 and at most 1 \(off\), found 2/);
    await expect(collect("we", { n: 0 })).rejects.toThrow(/n: must be a whole number from 1 to 128, found 0/);
    await expect(collect("we", { n: 129 })).rejects.toThrow(/n: must be/);
    await expect(collect("we", { stop: [""] })).rejects.toThrow(/stop/);
    await expect(collect("we", { maxTokens: 512 })).rejects.toThrow(/context of 512 must hold 512 more/);
    await expect(collect("x".repeat(1 << 20))).rejects.toThrow(/1048576 characters; the 512 tokens that fit/);
    await expect(collect("we", { maxTokens: 512 })).rejects.toMatchObject({
      name: "InputError",
      option: "prompt",
      code: "context_length_exceeded",
    });
    await expect(collect("we", { topK: -1 })).rejects.toMatchObject({ name: "InputError", option: "topK" });
    expect((await going)[0]?.tokens).toHaveLength(50);
    expect((await idle()).blocks.used).toBe(0);
  });

  test("in options and runs are told when the engine is loaded", async () => {
    await expect(Engine.load(join(scratch, "nothing"))).rejects.toThrow(/no run here/);
    await expect(Engine.load(run, { kvMemory: "10 apples" })).rejects.toThrow(/memory: found "10 apples"/);
    await expect(Engine.load(run, { kvMemory: 100 })).rejects.toThrow(/100 bytes do not hold one block of 128 tokens/);
    await expect(Engine.load(run, { kvDtype: "float8" as never })).rejects.toThrow(/engine: kvDtype/);
    await expect(Engine.load(run, { context: 1024 })).rejects.toThrow(
      /1024 tokens asked, the model was trained on 512/,
    );
  });
});

test("a longer context is recorded in the config", async () => {
  await using long = await Engine.load(run, { kvMemory: "2MB", threads: 1, context: 1024, ropeScaling: "ntk" });
  expect(long.info.config.ropeScaling).toEqual({ type: "ntk", factor: 2 });
  expect(long.info.longest).toBe(1024);
  const [found] = await collect("we", { maxTokens: 900, temperature: 0, ignoreEnd: true }, long);
  expect(found?.tokens).toHaveLength(900);
});

test.each(["int8", "int4", "w8a8"] as const)("weights of %s generate", async (weights) => {
  await using small = await Engine.load(run, { kvMemory: "1MB", threads: 1, weights, kvDtype: "int8" });
  const [found] = await collect("we", { maxTokens: 10, ignoreEnd: true }, small);
  expect(found?.tokens).toHaveLength(10);
  expect(small.info.kvBytes).toBe(small.info.kvTokens * small.info.kvBytesPerToken);
});

test("a process that dies rejects what is open with the cause, and can be started anew", async () => {
  const fragile = await Engine.load(run, { kvMemory: "2MB", threads: 1 });
  const options = { maxTokens: 300, ignoreEnd: true, seed: 1 };
  const open = [collect("we", options, fragile), collect("the", { ...options, n: 2 }, fragile)];
  const settled = Promise.allSettled(open);
  await expect.poll(() => fragile.stats().running).toBe(3);
  process.kill(fragile.processId as number, "SIGKILL");
  for (const result of await settled) {
    expect(result).toMatchObject({ status: "rejected", reason: { message: "engine: its process ended by SIGKILL" } });
  }
  await expect(collect("we", options, fragile)).rejects.toThrow(EngineCrash);
  await Promise.all([fragile.restart(), fragile.restart()]); // two who noticed
  expect((await collect("we", { ...options, maxTokens: 5 }, fragile))[0]?.tokens).toHaveLength(5);
  await fragile.close();
  await expect(collect("we", options, fragile)).rejects.toThrow(/closed/);
  await expect(fragile.restart()).rejects.toThrow(/closed/);
});

describe("a program", () => {
  const after = (work: string) =>
    spawnSync(process.execPath, ["--input-type=module", "-e", program(work)], {
      encoding: "utf8",
      cwd: import.meta.dirname,
    });
  const program = (work: string) => `
    import { Engine } from "crosslayer";
    const engine = await Engine.load(${JSON.stringify(run)}, { kvMemory: "2MB", threads: 1 });
    const open = engine.generate("we", { maxTokens: 400, ignoreEnd: true });
    ${work}
    console.log("done");`;

  // Its event loop must stay alive while it awaits the engine's process: Node ends with status 13 where it does not.
  test.each([
    [
      "closes with a request open",
      "await open.next(); const end = open.next().catch(() => {}); await engine.close(); await end;",
    ],
    [
      "restarts with a request open",
      "await open.next(); const end = open.next().catch(() => {}); await engine.restart(); await end;",
    ],
    ["resizes an idle engine", "await engine.resize(1e6);"],
    ["leaves an idle engine alone", ""],
  ])("that %s goes on", (_, work) => {
    const { stdout, stderr, status } = after(work);
    expect([stdout, stderr, status]).toEqual(["done\n", "", 0]);
  });
});

test("a cache of another size writes the same, and tells its size", async () => {
  const before = await collect("we the people", { maxTokens: 20, temperature: 0 });
  await engine.resize(1e6);
  expect(engine.stats().kvBytes).toBeLessThanOrEqual(1e6);
  expect(await collect("we the people", { maxTokens: 20, temperature: 0 })).toMatchObject([{ text: before[0]?.text }]);
  await engine.resize(2e6);
  await expect(engine.resize(10)).rejects.toThrow("do not hold one block");
});

test("a template's text spells special tokens, a prompt's does not", async () => {
  const read = async (prompt: string | { template: string }) => {
    const [text] = await collect(prompt as string, { maxTokens: 1, temperature: 0, ignoreEnd: true });
    return text?.last?.usage?.promptTokens;
  };
  const plain = (await read("we")) as number;
  expect(await read({ template: "<|endoftext|>we" })).toBe(plain);
  expect(await read("<|endoftext|>we")).toBeGreaterThan(plain + 3);
});
