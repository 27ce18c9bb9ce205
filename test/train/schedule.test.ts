// The learning rate against its closed forms.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { learningRate } from "../../src/train/schedule.ts";

const paper = { peak: 3e-4, steps: 1000, warmup: 0.05, floor: 0.1 };

describe("the paper's schedule", () => {
  test("rises linearly over the first 5%", () => {
    for (let step = 0; step < 50; step++) expect(learningRate(paper, step)).toBeCloseTo((3e-4 * (step + 1)) / 50, 15);
    expect(learningRate(paper, 49)).toBe(3e-4);
  });

  test("falls as a cosine to a tenth at the last step", () => {
    expect(learningRate(paper, 50)).toBe(3e-4);
    expect(learningRate(paper, 999)).toBeCloseTo(3e-5, 15);
    const halfway = { ...paper, steps: 1001, warmup: 0.0501 }; // 50 rise; the fall from 50 to 1000 has a middle
    expect(learningRate(halfway, 525)).toBeCloseTo((3e-4 + 3e-5) / 2, 15);
    expect(learningRate(halfway, 50 + 950 / 3)).toBeCloseTo(3e-5 + 0.75 * 2.7e-4, 15); // cos 60° = ½
  });

  test("stays at the floor beyond its steps", () => {
    expect(learningRate(paper, 5000)).toBeCloseTo(3e-5, 15);
  });
});

test.each([
  ["one step", { ...paper, steps: 1 }, [3e-4]],
  ["two steps", { ...paper, steps: 2 }, [3e-4, 3e-4]],
  ["nothing but warm-up", { ...paper, steps: 4, warmup: 1 }, [0.75e-4, 1.5e-4, 2.25e-4, 3e-4]],
  ["no warm-up asked for: one step", { ...paper, steps: 3, warmup: 0 }, [3e-4, 3e-4, 3e-5]],
  ["no fall", { ...paper, steps: 3, floor: 1 }, [3e-4, 3e-4, 3e-4]],
])("%s", (_, schedule, rates) => {
  for (const [step, rate] of rates.entries()) expect(learningRate(schedule, step)).toBeCloseTo(rate, 15);
});

test("never above the peak, never below the floor or the first step's, up and then down", () => {
  const schedules = fc.record({
    peak: fc.constant(1),
    steps: fc.integer({ min: 1, max: 400 }),
    warmup: fc.double({ min: 0, max: 1, noNaN: true }),
    floor: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(schedules, (schedule) => {
      const rates = Array.from({ length: schedule.steps }, (_, step) => learningRate(schedule, step));
      const top = rates.indexOf(Math.max(...rates));
      expect(rates[top]).toBeCloseTo(1, 12);
      for (const [step, rate] of rates.entries()) {
        expect(rate).toBeGreaterThan(0 - (schedule.floor === 0 ? 1e-12 : 0));
        if (step === 0) continue;
        const before = rates[step - 1] as number;
        if (step <= top) expect(rate).toBeGreaterThanOrEqual(before);
        else expect(rate).toBeLessThanOrEqual(before + 1e-12);
      }
    }),
    { seed: 1, numRuns: 200 },
  );
});
