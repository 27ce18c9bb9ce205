// Plans to test with, and what is under a plan: random models that can be split, and how many blocks fit by trying.

import fc from "fast-check";
import { type ModelConfig, modelConfig } from "../../src/model/config.ts";
import { kvBytesPerToken } from "../../src/model/cost.ts";
import { type KvFormat, kvFormats, type WeightFormat, weightFormats } from "../../src/model/formats.ts";
import { allSharings } from "../../src/model/sharing.ts";
import type { StageDevice } from "../../src/plan/devices.ts";
import type { PlanRequest } from "../../src/plan/serving-plan.ts";
import { tensorSplit } from "../../src/plan/tensor-parallel.ts";

/** A request for one device of 1 MB, with whatever should differ. */
export function requested(model: ModelConfig, more: Partial<PlanRequest> & { tp?: number } = {}): PlanRequest {
  const { tp = 1, ...rest } = more;
  return {
    ...{ memory: 1e6, reserve: 0, context: 100, batch: 3, blockSize: 16, weights: "float32", kvDtype: "float32" },
    ...{ tensor: tensorSplit(model, tp), cuts: [] },
    ...rest,
  } as PlanRequest;
}

const sharings = [1, 2, 3, 4, 5, 6].flatMap(allSharings);

/** Small models of every sharing, whose sizes split over 1, 2 or 4 devices. */
export const models: fc.Arbitrary<ModelConfig> = fc
  .record({
    sharing: fc.constantFrom(...sharings),
    kvHeads: fc.constantFrom(1, 2, 4),
    headDim: fc.constantFrom(2, 4, 8),
    vocab: fc.constantFrom(8, 32, 64),
    tiedEmbeddings: fc.boolean(),
    kvNorm: fc.constantFrom("own" as const, "shared" as const),
    bias: fc.boolean(),
  })
  .map(({ bias, sharing, ...rest }) =>
    modelConfig({
      ...{ layers: sharing.length, sharing, width: 8, heads: 4, mlpWidth: 12 },
      ...{ ...rest, biases: { qkv: bias, output: false, mlp: false } },
    }),
  );

/** Requests for `model` in any layout. */
export function requests(model: ModelConfig): fc.Arbitrary<PlanRequest> {
  const { layers } = model;
  const cut = Array.from({ length: layers - 1 }, (_, i) => i + 1);
  return fc.record({
    memory: fc.integer({ min: 200_000, max: 2_000_000 }),
    reserve: fc.integer({ min: 0, max: 50_000 }),
    context: fc.integer({ min: 1, max: 300 }),
    batch: fc.integer({ min: 1, max: 40 }),
    blockSize: fc.constantFrom(1, 16, 128),
    weights: fc.constantFrom(...(Object.keys(weightFormats) as WeightFormat[])),
    kvDtype: fc.constantFrom(...(Object.keys(kvFormats) as KvFormat[])),
    tensor: fc.constantFrom(1, 2, 4).map((tp) => tensorSplit(model, tp)),
    cuts: fc.subarray(cut),
  });
}

/** Whether every device has room for `blocks` blocks: the plan's numbers by hand. */
export function hasRoom(devices: readonly StageDevice[], blocks: number, request: PlanRequest): boolean {
  const { memory, reserve, blockSize, kvDtype } = request;
  return devices.every(
    ({ kv, weightBytes }) => weightBytes + reserve + blocks * blockSize * kvBytesPerToken(kv, kvDtype) <= memory,
  );
}
