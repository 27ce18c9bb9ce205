import { describe, expect, it } from "vitest";
import { namedModel } from "../../src/model/name.ts";
import { checkMicroBatch, fittingMicroBatch, leastMemory, stepMemory } from "../../src/train/micro-batch.ts";

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

  it("is told to be too much of a long context without its graph, which would fill the memory itself", () => {
    const long = { ...model, context: 2 ** 20 };
    const wanted = /one sequence of 1048576 tokens needs about \d+\.\d GiB, 1024.0 GiB is free/;
    const asked = { batch: 1, recompute: false, available: 2 ** 40 };
    expect(() => fittingMicroBatch(long, asked)).toThrow(wanted);
    expect(() => checkMicroBatch(long, { ...asked, microBatch: 1 }, asked.available)).toThrow(wanted);
  });

  it.each(["H16-MQA-CLA2", "H32-MHA", "H8-GQA2"])("is never less than what is told without the graph of %s", (name) => {
    for (const [context, layers] of [
      [16, 2],
      [128, 4],
      [1000, 2],
    ] as const) {
      const config = namedModel(name, { layers, width: 64, mlpWidth: 96, vocab: 300, context });
      for (const recompute of [false, true]) {
        for (const [microBatch, accumulate] of [
          [1, 1],
          [3, 2],
        ] as const) {
          const needed = stepMemory(config, { microBatch, accumulate, recompute });
          expect(leastMemory(config, microBatch)).toBeLessThanOrEqual(needed);
        }
      }
    }
  });
});
