// Cuts: even ones, which groups they split, and the nearest that split none, against trying all.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allSharings, share, unshared } from "../../src/model/sharing.ts";
import { checkCuts, evenCuts, freeCuts, nearestFreeCuts, splitGroups, stagesOf } from "../../src/plan/pipeline.ts";

const sizes = (cuts: readonly number[], layers: number) => stagesOf(cuts, layers).map((s) => s.last - s.first + 1);

/** Every way to put `count` cuts into `layers` layers. */
function allCuts(layers: number, count: number, from = 1): number[][] {
  if (count === 0) return [[]];
  const firsts = Array.from({ length: Math.max(0, layers - from) }, (_, i) => from + i);
  return firsts.flatMap((first) => allCuts(layers, count - 1, first + 1).map((rest) => [first, ...rest]));
}

describe("even cuts", () => {
  test("make stages that differ by a layer at most and cover every layer", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 130 }), fc.integer({ min: 1, max: 130 }), (layers, stages) => {
        fc.pre(stages <= layers);
        const cuts = evenCuts(layers, stages);
        const found = sizes(checkCuts(cuts, layers), layers);
        expect(found).toHaveLength(stages);
        expect(found.reduce((sum, size) => sum + size, 0)).toBe(layers);
        expect(Math.max(...found) - Math.min(...found)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test("leave the shorter stages to the ends, the last one first, as vLLM does", () => {
    expect([evenCuts(20, 4), evenCuts(20, 3), evenCuts(22, 4), evenCuts(23, 4)].map((c) => c.join())).toEqual([
      "5,10,15", // 5 5 5 5
      "7,14", // 7 7 6
      "5,11,17", // 5 6 6 5
      "6,12,18", // 6 6 6 5
    ]);
  });

  test("are refused where a stage would have no layer", () => {
    expect(() => evenCuts(4, 5)).toThrow("5 stages asked, the model has 4 layers; use 4 or fewer");
  });
});

test.each([[[0]], [[3, 3]], [[5, 3]], [[2, 20]], [[1.5]]])("cuts %j of 20 layers are refused", (cuts) => {
  expect(() => checkCuts(cuts, 20)).toThrow(/rising, from 1 to 19/);
});

test("the paper's rule: a cut inside a pair splits it, one between pairs does not", () => {
  const cla2 = share(8, 2);
  expect(splitGroups(cla2, [4])).toEqual([]);
  expect(splitGroups(cla2, [3, 6])).toEqual([{ owner: 2, stage: 0, readers: [{ stage: 1, layers: [3] }] }]);
  expect(splitGroups([0, 1, 0, 1, 0, 0], [2, 4])).toEqual([
    {
      owner: 0,
      stage: 0,
      readers: [
        { stage: 1, layers: [2] },
        { stage: 2, layers: [4, 5] },
      ],
    },
    { owner: 1, stage: 0, readers: [{ stage: 1, layers: [3] }] },
  ]);
  expect(nearestFreeCuts(cla2, [3])).toEqual([4]); // 2 is as near, but 4 makes even stages
  expect(nearestFreeCuts(cla2, evenCuts(8, 3))).toEqual([2, 6]);
});

test("free cuts split no group, all others do, for every sharing of up to 6 layers", () => {
  for (const sharing of [1, 2, 3, 4, 5, 6].flatMap(allSharings)) {
    const free = freeCuts(sharing);
    for (let cut = 1; cut < sharing.length; cut++) {
      expect(splitGroups(sharing, [cut]).length === 0, `${sharing} at ${cut}`).toBe(free.includes(cut));
    }
  }
});

test("one owner for all leaves no free cut; no sharing leaves all", () => {
  expect(nearestFreeCuts(share(8, 8), [4])).toBeUndefined();
  expect(freeCuts(unshared(5))).toEqual([1, 2, 3, 4]);
  expect(nearestFreeCuts(share(8, 4), [2, 4])).toBeUndefined(); // there is one free cut, two are asked
});

test("the nearest free cuts are the nearest of all that split nothing, for every sharing of 6 layers and all cuts", () => {
  const square = (x: number) => x * x;
  for (const sharing of allSharings(6)) {
    for (let count = 1; count <= 3; count++) {
      for (const wanted of allCuts(6, count)) {
        const found = nearestFreeCuts(sharing, wanted);
        const rank = (cuts: readonly number[]) => [
          cuts.reduce((sum, cut, i) => sum + square(cut - wanted[i]!), 0),
          sizes(cuts, 6).reduce((sum, size) => sum + square(size), 0),
        ];
        const ranks = allCuts(6, count)
          .filter((cuts) => splitGroups(sharing, cuts).length === 0)
          .map(rank)
          .sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]!);
        expect(found && rank(found), `${sharing} at ${wanted}`).toEqual(ranks[0]);
        if (found) expect(splitGroups(sharing, found)).toEqual([]);
      }
    }
  }
});
