import { describe, expect, it } from "vitest";
import { namedModel } from "../../src/model/name.ts";
import { fittingMicroBatch, stepMemory } from "../../src/train/micro-batch.ts";

const model = namedModel("H32-MQA-CLA2", { layers: 4, width: 64, mlpWidth: 160, vocab: 512, context: 128 });
const memory = (microBatch: number) => stepMemory(model, { microBatch, accumulate: 16 / microBatch, recompute: false });

describe("micro-batch", () => {
  it("is the whole batch where that fits, and the largest divisor that fits where not", () => {
    const fits = (bytes: number) => fittingMicroBatch(model, { batch: 16, recompute: false, available: bytes / 0.8 });
    expect(fits(memory(16))).toBe(16);
    expect(fits(memory(16) - 1)).toBe(8);
    expect(fits(memory(4))).toBe(4);
  });

  it("needs more memory for more sequences, and less with shared keys and values", () => {
    expect(memory(8)).toBeGreaterThan(memory(4));
    const unshared = namedModel("H32-MQA", { layers: 4, width: 64, mlpWidth: 160, vocab: 512, context: 128 });
    expect(stepMemory(unshared, { microBatch: 4, accumulate: 4, recompute: false })).toBeGreaterThan(memory(4));
  });

  it("says what is needed where nothing fits", () => {
    const little = () => fittingMicroBatch(model, { batch: 16, recompute: false, available: 1000 });
    expect(little).toThrow(
      /a training step with one sequence of 128 tokens needs about .* GiB, .* is free; try --recompute/,
    );
  });
});
