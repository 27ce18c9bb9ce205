import { describe, expect, test } from "vitest";
import { bestCut, cheapestCut, type Range, searchedSharing } from "../../src/convert/search.ts";
import { share, unshared } from "../../src/model/sharing.ts";
import { Random } from "../../src/tensor/random.ts";
import { lively, randomTokens, tinyConfig } from "../model/tiny.ts";
import { cpu1 } from "../runtime/program.ts";

/** Every cut of `count` places into at most `most` runs. */
function allCuts(count: number, most: number, first = 0): Range[][] {
  if (first === count) return [[]];
  if (most === 0) return [];
  return Array.from({ length: count - first }, (_, i) => first + i).flatMap((last) =>
    allCuts(count, most - 1, last + 1).map((rest): Range[] => [[first, last], ...rest]),
  );
}

function allRuns(count: number): Range[] {
  return Array.from({ length: count }, (_, first) =>
    Array.from({ length: count - first }, (_, i): Range => [first, first + i]),
  ).flat();
}

describe("search", () => {
  test("the cut is the best of all cuts", () => {
    const random = new Random(2);
    for (let round = 0; round < 20; round++) {
      const count = 2 + random.below(6);
      const table = Array.from({ length: count }, () => Array.from({ length: count }, () => random.normal()));
      const cost = ([first, last]: Range) => (first === last ? 0 : (table[first]?.[last] as number));
      const total = (cut: readonly Range[]) => cut.reduce((sum, run) => sum + cost(run), 0);
      for (let most = 1; most <= count; most++) {
        const best = Math.min(...allCuts(count, most).map(total));
        const found = bestCut(count, most, cost);
        expect(found.length).toBeLessThanOrEqual(most);
        expect(total(found)).toBeCloseTo(best, 12);
      }
    }
  });

  test("where runs cost no less than their parts, the cut that measures few runs is that which measures all", async () => {
    const random = new Random(3);
    let [measured, all] = [0, 0];
    for (let round = 0; round < 40; round++) {
      const count = 4 + random.below(8);
      const steps = Array.from({ length: count }, () => Math.exp(2 * random.normal()));
      const costOf = ([first, last]: Range) =>
        first === last ? 0 : steps.slice(first, last).reduce((sum, step) => sum + step, 0) ** 1.5;
      const runs = allRuns(count).filter(([first, last]) => last > first && last - first < 5);
      const most = Math.ceil(count / (2 + random.below(2)));
      const { cut } = await cheapestCut(count, most, runs, async (run) => {
        measured++;
        return costOf(run);
      });
      all += runs.length;
      const allowed = (run: Range) => (run[1] - run[0] < 5 ? costOf(run) : Number.POSITIVE_INFINITY);
      expect(cut).toEqual(bestCut(count, most, allowed));
    }
    expect(measured).toBeLessThan(0.6 * all);
  });

  const config = tinyConfig(unshared(6), "GQA");
  const windows = Array.from({ length: 3 }, (_, i) => randomTokens(config, [4, config.context], i));

  test("merges layers that have the same keys and values, and no others", async () => {
    const weights = lively(config, 1);
    for (const layer of [3, 4]) {
      // Layer 3 adds nothing, and 4 has its keys and values: to merge these two loses nothing.
      for (const site of ["attn.k", "attn.v", "attn.kv_norm"]) {
        weights[`layers.4.${site}`] = weights[`layers.3.${site}`] as (typeof weights)[string];
      }
      for (const name of layer === 3 ? ["layers.3.attn.o", "layers.3.mlp.down"] : []) {
        const tensor = weights[name] as (typeof weights)[string];
        weights[name] = { ...tensor, data: new Float32Array(tensor.data.length) } as (typeof weights)[string];
      }
    }
    for (const init of ["owner", "fit"] as const) {
      const budget = { ratio: 5 / 6 };
      const { sharing, losses } = await searchedSharing(cpu1, config, weights, { budget, init, windows });
      expect(sharing).toEqual([0, 1, 2, 3, 3, 5]);
      expect(Object.keys(losses)).toEqual(["3-4"]);
      expect(Math.abs(losses["3-4"] as number)).toBeLessThan(1e-2);
    }
  });

  test("keeps to the budget, in bytes and with fewer heads, and begins from what is shared already", async () => {
    const bytes = 6 * 2 * 2 * 4 * 4; // owners · K and V · heads · headDim · float32
    const found = await searchedSharing(cpu1, config, lively(config, 1), {
      ...{ budget: { bytes: bytes / 2 }, init: "owner", kvHeads: 1, windows },
    });
    expect(found.sharing).toEqual(unshared(6)); // half of the bytes by heads alone
    const shared = tinyConfig(share(6, 2), "GQA");
    const tighter = await searchedSharing(cpu1, shared, lively(shared, 1), {
      ...{ budget: { ratio: 0.7 }, init: "mean", windows },
    });
    expect(new Set(tighter.sharing).size).toBe(2);
    expect(tighter.sharing[1]).toBe(tighter.sharing[0]);
  });

  test("never merges layers that turn their keys with layers that do not", async () => {
    const mixed = tinyConfig(unshared(6), "GQA", { noRope: [2, 5] });
    const budget = { ratio: 4 / 6 };
    const { sharing } = await searchedSharing(cpu1, mixed, lively(mixed, 1), { budget, init: "fit", windows });
    expect(sharing).toEqual([0, 0, 2, 3, 3, 5]);
    const asked = searchedSharing(cpu1, mixed, lively(mixed, 1), { budget: { ratio: 0.5 }, init: "owner", windows });
    await expect(asked).rejects.toThrow("no sharing of 3 owners keeps layers with and without rotary embedding");
  });

  test("a budget below one owner is refused, saying what one takes", async () => {
    const asked = searchedSharing(cpu1, config, lively(config, 1), { budget: { bytes: 10 }, init: "owner", windows });
    await expect(asked).rejects.toThrow("--search: 10 bytes per token are asked, one owner's keys and values take 64");
  });
});
