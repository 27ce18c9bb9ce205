// The ONNX decoder with past: with every sharing it gives the full forward's logits, in whatever pieces a text comes,
// beside others and behind padding; owners alone have a past.

import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { decoderModel } from "../../src/export/decoder.ts";
import type { ModelConfig } from "../../src/model/config.ts";
import { allSharings, owners } from "../../src/model/sharing.ts";
import { decodeModel } from "../../src/onnx/proto.ts";
import { FullForward } from "../engine/full-forward.ts";
import { expectClose } from "../graph/close.ts";
import { type Heads, kvHeads, lively, randomTokens, tinyConfig } from "../model/tiny.ts";

const whole = (rows: readonly (readonly number[])[]) =>
  new OrtTensor("int64", BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0]!.length]);

const vector = (data: Float32Array) => ({ shape: [data.length], data });

/** What runs a decoder as other programs do: it knows the file's names alone. */
async function decoding(session: InferenceSession, { kvHeads, headDim }: ModelConfig, batch: number) {
  const slots = session.inputNames.filter((name) => name.endsWith(".key")).length;
  let past: Record<string, OrtTensor> = {};
  for (const name of session.inputNames.filter((name) => name.startsWith("past_key_values."))) {
    past[name] = new OrtTensor("float32", new Float32Array(0), [batch, kvHeads, 0, headDim]);
  }
  const mask: number[][] = Array.from({ length: batch }, () => []);
  return {
    slots,
    /** Logits [B, S, V] of the next tokens; −1 is padding. */
    async step(tokens: readonly (readonly number[])[]): Promise<OrtTensor> {
      const positions = tokens.map((row, b) => {
        const seen = mask[b] as number[];
        return row.map((token) => {
          seen.push(token < 0 ? 0 : 1);
          return Math.max(0, seen.reduce((sum, one) => sum + one, 0) - 1);
        });
      });
      const ids = whole(tokens.map((row) => row.map((token) => Math.max(token, 0))));
      const feeds = { input_ids: ids, position_ids: whole(positions), attention_mask: whole(mask), ...past };
      const found = await session.run(feeds);
      past = Object.fromEntries(
        Object.keys(past).map((name) => [name, found[name.replace("past_key_values", "present")]!]),
      );
      return found.logits!;
    },
    past: () => past,
  };
}

const open = async (config: ModelConfig, seed: number) => {
  const weights = lively(config, seed);
  const session = await InferenceSession.create(decoderModel(config, weights, "float32").bytes, {
    logSeverityLevel: 3,
  });
  return { weights, session };
};

const heads = Object.keys(kvHeads) as Heads[];
const cases = allSharings(4).map((sharing, i) => ({ sharing, heads: heads[i % heads.length] as Heads }));

test.each(cases)("$heads with $sharing: in pieces as in one", async ({ sharing, heads }) => {
  const config = tinyConfig(sharing, heads);
  const { weights, session } = await open(config, 5);
  using full = await FullForward.create(config, weights);
  const tokens = [...randomTokens(config, [12], 7).data];
  const expected = (await full.run(tokens)).logits as Float32Array[];
  const decoder = await decoding(session, config, 1);
  expect(decoder.slots).toBe(owners(sharing).length);
  let at = 0;
  for (const count of [5, 1, 3, 1, 2]) {
    const { data } = await decoder.step([tokens.slice(at, at + count)]);
    for (let i = 0; i < count; i++) {
      const row = (data as Float32Array).subarray(i * config.vocab, (i + 1) * config.vocab);
      expectClose(vector(row), vector(expected[at + i]!), 2e-5);
    }
    at += count;
  }
  const bytes = Object.values(decoder.past()).reduce((sum, { data }) => sum + (data as Float32Array).byteLength, 0);
  expect(bytes).toBe(2 * 4 * owners(sharing).length * config.kvHeads * config.headDim * tokens.length);
});

test("a shorter sequence behind padding has the logits that it has alone", async () => {
  const config = tinyConfig([0, 0, 2, 2], "GQA");
  const { weights, session } = await open(config, 6);
  using full = await FullForward.create(config, weights);
  const [long, short] = [7, 4].map((length, seed) => [...randomTokens(config, [length], seed).data]) as [
    number[],
    number[],
  ];
  const decoder = await decoding(session, config, 2);
  await decoder.step([long.slice(0, 6), [-1, -1, -1, ...short.slice(0, 3)]]);
  const { data } = await decoder.step([long.slice(6), short.slice(3)]);
  for (const [i, tokens] of [long, short].entries()) {
    const expected = ((await full.run(tokens)).logits as Float32Array[]).at(-1) as Float32Array;
    const found = (data as Float32Array).subarray(i * config.vocab, (i + 1) * config.vocab);
    expectClose(vector(found), vector(expected), 2e-5);
  }
});

describe("the file", () => {
  const config = tinyConfig([0, 0, 2, 0], "GQA", {
    biases: { qkv: true, output: true, mlp: true },
    tiedEmbeddings: false,
  });

  test("uses the standard's operators alone", () => {
    const { graph, opsetImport } = decodeModel(decoderModel(config, lively(config, 1), "float32").bytes);
    expect([...new Set(graph.node.map(({ domain }) => domain))]).toEqual([""]);
    expect(opsetImport).toEqual([{ domain: "", version: 21 }]);
    expect(graph.node.map(({ opType }) => opType)).not.toContain("SimplifiedLayerNormalization");
  });

  test("names inputs, outputs and sizes as Hugging Face's exports do", () => {
    const { graph } = decodeModel(decoderModel(config, lively(config, 1), "float32").bytes);
    const told = (all: typeof graph.input) =>
      all.map(
        ({ name, type }) =>
          `${name} [${type.tensorType.shape.dim.map((d) => ("dimParam" in d && d.dimParam) || ("dimValue" in d && d.dimValue)).join(", ")}]`,
      );
    expect(told(graph.input)).toEqual([
      "attention_mask [batch_size, total_sequence_length]",
      "input_ids [batch_size, sequence_length]",
      "position_ids [batch_size, sequence_length]",
      "past_key_values.0.key [batch_size, 2, past_sequence_length, 4]",
      "past_key_values.0.value [batch_size, 2, past_sequence_length, 4]",
      "past_key_values.1.key [batch_size, 2, past_sequence_length, 4]",
      "past_key_values.1.value [batch_size, 2, past_sequence_length, 4]",
    ]);
    expect(told(graph.output)).toEqual([
      "logits [batch_size, sequence_length, 11]",
      "present.0.key [batch_size, 2, total_sequence_length, 4]",
      "present.0.value [batch_size, 2, total_sequence_length, 4]",
      "present.1.key [batch_size, 2, total_sequence_length, 4]",
      "present.1.value [batch_size, 2, total_sequence_length, 4]",
    ]);
  });
});
