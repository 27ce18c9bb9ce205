// Plans: what is said to fit fits, one more does not; the paper's numbers; impossible requests.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { unsharedTwin } from "../../src/model/cost.ts";
import { namedModel, scales } from "../../src/model/name.ts";
import { share } from "../../src/model/sharing.ts";
import { kvBlockBytes } from "../../src/plan/kv-blocks.ts";
import { capacityOf, servingPlan } from "../../src/plan/serving-plan.ts";
import { weightBytes } from "../../src/plan/weight-bytes.ts";
import { hasRoom, models, requested, requests } from "./request.ts";

test("the batch and the context that are reported fit on every device, and one more does not on one", () => {
  const planned = models.chain((model) => requests(model).map((request) => ({ model, request })));
  fc.assert(
    fc.property(planned, ({ model, request }) => {
      const { capacity } = servingPlan(model, request);
      const { context, batch, blockSize } = request;
      const fits = (sequences: number, tokens: number) =>
        hasRoom(capacity.devices, sequences * Math.ceil(tokens / blockSize), request);
      expect(fits(capacity.batch, context)).toBe(true);
      expect(fits(capacity.batch + 1, context)).toBe(false);
      expect(fits(batch, capacity.context)).toBe(true);
      expect(fits(batch, capacity.context + 1)).toBe(false);
    }),
    { numRuns: 300 },
  );
});

test("sharing never fits less than no sharing, wherever it is cut; the cuts advised split nothing", () => {
  fc.assert(
    fc.property(
      models.chain((model) => requests(model).map((request) => ({ model, request }))),
      ({ model, request }) => {
        const { splits, whole, capacity, unshared } = servingPlan(model, request);
        if (splits.length === 0) expect(whole).toBeUndefined();
        if (whole) expect(servingPlan(model, { ...request, cuts: whole.cuts }).splits).toEqual([]);
        if (unshared) expect(capacity.blocks).toBeGreaterThanOrEqual(unshared.blocks);
      },
    ),
  );
});

// The 1B design space, 16 bits (Table 1).
test.each([
  ["H128-MHA", 163840],
  ["H128-GQA4", 40960],
  ["H128-GQA2", 20480],
  ["H128-MQA", 10240],
  ["H64-MQA", 5120],
  ["H46-MQA", 3680],
  ["H32-MQA", 2560],
  ["H512-MQA-CLA2", 20480],
  ["H256-MQA-CLA2", 10240],
  ["H128-MQA-CLA2", 5120],
  ["H90-MQA-CLA2", 3600],
  ["H64-MQA-CLA2", 2560],
  ["H256-GQA4-CLA2", 40960],
  ["H128-GQA4-CLA2", 20480],
  ["H128-GQA2-CLA2", 10240],
  ["H128-MQA-CLA3", 3584],
  ["H128-MQA-CLA4", 2560],
  ["H128-MQA-CLA2-KeepEnds", 5632],
  ["H128-MQA-CLA2-DenseFront", 5632],
  ["H128-MQA-CLA2-DenseBack", 5632],
])("Table 1: %s takes %i bytes a token", (name, bytes) => {
  const model = namedModel(name, scales["1b"]);
  const request = requested(model, { memory: 24e9, weights: "float16", kvDtype: "float16", blockSize: 128 });
  const { capacity, unshared } = servingPlan(model, request);
  expect(capacity.kvBytesPerToken).toBe(bytes);
  expect(capacity.devices.map((device) => device.kvBytesPerToken)).toEqual([bytes]);
  expect(unshared === undefined).toBe(!name.includes("CLA"));
});

describe("beside the same model without sharing", () => {
  const model = namedModel("H128-MQA-CLA2", scales["1b"]);
  const plain = unsharedTwin(model);

  test("twice the batch and twice the context fit where memory is a multiple, plus what smaller weights leave", () => {
    const blocks = 64;
    const sizes = { weights: "float16", kvDtype: "float16", blockSize: 128, context: 1024, batch: 8 } as const;
    const memory = weightBytes(plain, "float16") + blocks * kvBlockBytes(plain, "float16");
    const saved = weightBytes(plain, "float16") - weightBytes(model, "float16");
    const { capacity, unshared } = servingPlan(model, requested(model, { ...sizes, memory, reserve: 0 }));
    expect(unshared).toMatchObject({ blocks, batch: 8, context: 1024 });
    expect(capacity.blocks).toBe(2 * blocks + Math.floor(saved / kvBlockBytes(model, "float16")));
    const even = capacityOf(model, requested(model, { ...sizes, memory: memory - saved }));
    expect(even).toMatchObject({ blocks: 2 * blocks, batch: 16, context: 2048 });
  });

  test("it may not fit at all, which is no error", () => {
    const memory = weightBytes(model, "float32") + kvBlockBytes(model, "float32", 16);
    const { capacity, unshared } = servingPlan(model, requested(model, { memory }));
    expect(capacity.blocks).toBe(1);
    expect(unshared).toMatchObject({ blocks: 0, batch: 0, context: 0 });
  });
});

describe("cuts through groups", () => {
  const model = namedModel("H64-GQA2-CLA2", { layers: 8, width: 256, mlpWidth: 512, vocab: 512 });

  test("say what is sent, once for each stage that reads, and the cuts that would not", () => {
    const { splits, whole } = servingPlan(model, requested(model, { memory: 1e8, cuts: [3], kvDtype: "float16" }));
    const perOwner = 2 * 2 * 64 * 2; // K, V × KV heads × head dim × bytes
    expect(splits).toMatchObject([{ owner: 2, stage: 0, bytesPerToken: perOwner }]);
    expect(whole?.cuts).toEqual([4]);
    const one = { ...model, sharing: share(8, 8) };
    const spread = servingPlan(one, requested(one, { memory: 1e8, cuts: [2, 4], kvDtype: "float16" }));
    expect(spread.splits.map(({ bytesPerToken }) => bytesPerToken)).toEqual([2 * perOwner]);
    expect(spread.whole).toBeUndefined();
  });

  test("send every copy of a KV head under tensor parallelism", () => {
    const sent = [1, 2, 4].map((tp) => {
      const request = requested(model, { memory: 1e8, cuts: [3], kvDtype: "float16", tp });
      return servingPlan(model, request).splits[0]?.bytesPerToken;
    });
    expect(sent).toEqual([512, 512, 1024]);
  });
});

describe("what cannot be", () => {
  const model = namedModel("H128-MQA-CLA2", scales["3b"]);
  const sixteen = { weights: "float16", kvDtype: "float16", blockSize: 128 } as const;

  test("weights larger than memory: how much is missing, and what would help", () => {
    expect(() => servingPlan(model, requested(model, { ...sixteen, memory: 4e9, reserve: 1e9 }))).toThrow(
      "memory: 4.00 GB a device less 1.00 GB of reserve cannot hold the weights, 6.37 GB in float16: 3.37 GB are missing; use more memory, weights of fewer bits, or more devices (tensor or pipeline parallel)",
    );
  });

  test("which stage it is", () => {
    expect(() => servingPlan(model, requested(model, { ...sixteen, memory: 3.3e9, cuts: [18] }))).toThrow(
      /cannot hold the weights of stage 0, 3\.\d\d GB in float16/,
    );
  });

  test("no room for a block", () => {
    const memory = weightBytes(model, "float16") + 1000;
    expect(() => servingPlan(model, requested(model, { ...sixteen, memory }))).toThrow(
      "leave 1000 bytes beside the weights; one block of 128 tokens takes 1.05 MB, so 1.05 MB are missing",
    );
  });

  test("too little for the batch or the context is no error but none", () => {
    const memory = weightBytes(model, "float16") + 10 * kvBlockBytes(model, "float16");
    const { capacity } = servingPlan(model, requested(model, { ...sixteen, memory, context: 2048, batch: 11 }));
    expect(capacity).toMatchObject({ blocks: 10, batch: 0, context: 0 });
  });
});
