// Probes against their definitions, spelled out token by token on a made-up model.

import { describe, expect, it } from "vitest";
import type { Judge } from "../../src/eval/judge.ts";
import { ratio } from "../../src/eval/probes/figures.ts";
import { probe, probedContexts, question, retrievalDistances } from "../../src/eval/probes/probes.ts";
import type { Window } from "../../src/eval/scorer.ts";
import { Random } from "../../src/tensor/random.ts";

const vocab = 500;
const random = new Random(5);
const text = Int32Array.from({ length: 4000 }, () => 1 + random.below(vocab - 1));
const stream = { tokens: text.length, read: (start: number, count: number) => text.subarray(start, start + count) };
const prefix = 0;

/** A model that copies: what followed a token before is likely after it, else all are alike; and it grows surer by place. */
function lossOf({ inputs, labels }: Window, at: number): number {
  for (let j = at - 1; j >= 0; j--) {
    if (inputs[j] === inputs[at]) return labels[j] === labels[at] ? 0.5 : 9;
  }
  return 6 - at / 1000;
}

const copier: Judge = {
  longest: 256,
  judge: async (windows) =>
    windows.map((window) => {
      const scores = Float32Array.from(window.labels, (_, at) => -lossOf(window, at));
      return { scores, best: scores.map((score) => Math.max(score, -1)) };
    }),
};

const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;

describe("probes", () => {
  it("are those of the definition", async () => {
    const contexts = [64, 256];
    const found = await probe(copier, stream, { probes: ["position", "copying", "retrieval"], contexts, prefix });
    expect(found.map(({ context }) => context)).toEqual(contexts);
    for (const { context, windows, position = [], copying } of found) {
      const count = Math.floor((text.length - 1) / context);
      expect(windows).toBe(count);
      const all = Array.from({ length: count }, (_, i) => ({
        inputs: [...text.subarray(i * context, (i + 1) * context)],
        labels: [...text.subarray(i * context + 1, (i + 1) * context + 1)],
      }));
      expect(position[0]?.from).toBe(0);
      expect(position.at(-1)?.to).toBe(context);
      for (const [i, { from, to, loss }] of position.entries()) {
        if (i > 0) expect(from).toBe(position[i - 1]?.to);
        const losses = all.flatMap((window) => window.inputs.map((_, at) => lossOf(window, at)).slice(from, to));
        expect(loss.value).toBeCloseTo(mean(losses), 4);
      }
      const [repeated, others]: [number[], number[]] = [[], []];
      for (const window of all) {
        for (let at = 0; at < context; at++) {
          const before = window.inputs.some((token, j) => {
            return j < at && token === window.inputs[at] && window.labels[j] === window.labels[at];
          });
          (before ? repeated : others).push(lossOf(window, at));
        }
      }
      expect(copying?.others.value).toBeCloseTo(mean(others), 4);
      expect([copying?.repeated.tokens, copying?.others.tokens]).toEqual([repeated.length, others.length]);
      if (repeated.length > 0) expect(copying?.repeated.value).toBeCloseTo(mean(repeated), 4);
    }
  });

  it("show that a model finds a key's value, and that another value there is no help", async () => {
    const [found] = await probe(copier, stream, { probes: ["retrieval"], contexts: [200], prefix });
    expect(found?.retrieval?.map(({ distance }) => distance)).toEqual([8, 16, 32, 64, 128, 190]);
    for (const { loss, control, accuracy } of found?.retrieval ?? []) {
      expect(loss.value).toBeCloseTo(0.5, 5);
      expect(control.value).toBeCloseTo(9, 5);
      expect(accuracy.value).toBe(1);
    }
    expect([found?.position, found?.copying, found?.windows]).toEqual([undefined, undefined, 0]);
  });

  it("are the same each time", async () => {
    const options = { probes: ["retrieval", "copying"] as const, contexts: [64], prefix };
    expect(await probe(copier, stream, options)).toEqual(await probe(copier, stream, options));
  });
});

describe("questions", () => {
  it.each([2, 8, 50, 190])(
    "at a distance of %d have the value there, the key before it and at the end, neither between",
    (distance) => {
      const { asked, control } = question(stream, distance, prefix, new Random(1));
      const inputs = [...(asked.inputs as number[])];
      const value = (asked.labels as number[]).at(-1) as number;
      const place = inputs.length - distance;
      expect(inputs).toHaveLength(10 + distance);
      expect(inputs[place]).toBe(value);
      const key = inputs.at(-1);
      expect(inputs[place - 1]).toBe(key);
      expect(inputs.filter((token) => token === key)).toHaveLength(2);
      expect(inputs.filter((token) => token === value)).toHaveLength(1);
      expect(inputs[0]).toBe(prefix);
      expect((asked.labels as number[]).slice(0, -1)).toEqual(inputs.slice(1));
      const others = [...(control.inputs as number[])];
      expect(others.map((token, i) => token === inputs[i])).toEqual(inputs.map((_, i) => i !== place));
      expect((control.labels as number[]).at(-1)).toBe(value);
    },
  );

  it("fit the context", () => {
    expect(retrievalDistances(64)).toEqual([8, 16, 32, 54]);
    expect(retrievalDistances(16)).toEqual([6]);
    expect(retrievalDistances(11)).toEqual([]);
  });
});

describe("contexts", () => {
  it.each([
    [[512, 2048, 8192], 2048, 1e6, [512, 2048]],
    [[512, 2048, 8192], 128, 1e6, [128]],
    [[512], 8192, 301, [300]],
    [[512], 8192, 1, []],
  ])("%j of a model of %d and a text of %d tokens are %j", (asked, longest, tokens, wanted) => {
    expect(probedContexts(asked, longest, tokens)).toEqual(wanted);
  });
});

it("a ratio's error is that of the mean where windows count alike, and absent for one window", () => {
  const windows = [
    [2, 4],
    [6, 4],
    [4, 4],
  ] as const;
  const { value, standardError } = ratio(windows);
  expect(value).toBe(1);
  expect(standardError).toBeCloseTo(Math.sqrt((0.25 + 0.25) / 2 / 3), 12);
  expect(ratio([[1, 2]])).toEqual({ value: 0.5 });
  expect(ratio([]).value).toBeNaN();
});
