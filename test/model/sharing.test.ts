// Patterns against the paper's examples, and what is refused.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../../src/error.ts";
import {
  allSharings,
  checkSharing,
  group,
  owners,
  type Pattern,
  patterns,
  share,
  sharingName,
  unshared,
} from "../../src/model/sharing.ts";

const run = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const times = (owner: number, count: number) => Array.from({ length: count }, () => owner);

describe("the paper's patterns", () => {
  test("CLA2 pairs neighbours, the lower one owning", () => {
    expect(share(6, 2)).toEqual([0, 0, 2, 2, 4, 4]);
    expect(owners(share(20, 2))).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
  });

  test("10 layers at CLA3: owners 0, 1, 4, 7, the short group first", () => {
    expect(share(10, 3)).toEqual([0, 1, 1, 1, 4, 4, 4, 7, 7, 7]);
  });

  test("20 layers at CLA3 have 7 owners, at CLA4 5", () => {
    expect(owners(share(20, 3))).toEqual([0, 2, 5, 8, 11, 14, 17]);
    expect(owners(share(20, 4))).toEqual([0, 4, 8, 12, 16]);
  });

  test("20 layers, CLA2, 11 owners each: KeepEnds, DenseFront, DenseBack", () => {
    const keepEnds = share(20, 2, "KeepEnds");
    expect(keepEnds).toEqual([0, 1, 1, 3, 3, 5, 5, 7, 7, 9, 9, 11, 11, 13, 13, 15, 15, 17, 17, 19]);
    const denseFront = share(20, 2, "DenseFront");
    expect(denseFront).toEqual([...run(0, 9), ...times(9, 9), 19]);
    const denseBack = share(20, 2, "DenseBack");
    expect(denseBack).toEqual([0, 1, ...times(1, 9), ...run(11, 19)]);
    for (const sharing of [keepEnds, denseFront, denseBack]) expect(owners(sharing)).toHaveLength(11);
  });

  test("Tail: the last layers reuse the last of their own", () => {
    expect(share(6, 2, "Tail")).toEqual([0, 1, 2, 2, 2, 2]);
  });

  test("a factor of all layers leaves one owner, a factor of one all of them", () => {
    expect(share(4, 4)).toEqual([0, 0, 0, 0]);
    expect(share(4, 1)).toEqual(unshared(4));
    expect(unshared(3)).toEqual([0, 1, 2]);
  });
});

describe("what is refused", () => {
  test.each<[string, readonly number[], number, string]>([
    ["too few entries", [0, 0], 3, "sharing: 3 layers need 3 entries, found 2"],
    ["no such layer", [0, 4], 2, "sharing: layer 1 borrows from 4; layers are 0 to 1"],
    ["a negative layer", [-1], 1, "sharing: layer 0 borrows from -1; layers are 0 to 0"],
    ["half a layer", [0, 0.5], 2, "sharing: layer 1 borrows from 0.5; layers are 0 to 1"],
    ["not a number", [0, Number.NaN], 2, "sharing: layer 1 borrows from NaN; layers are 0 to 1"],
    [
      "a later layer",
      [0, 2, 2],
      3,
      "sharing: layer 1 borrows from 2; a layer can only borrow from itself or an earlier owner",
    ],
    ["a borrower", [0, 0, 1], 3, "sharing: layer 2 borrows from 1, which borrows from 0 itself; name 0"],
  ])("%s", (_, sharing, layers, message) => {
    expect(() => checkSharing(sharing, layers)).toThrow(new InputError(message));
  });

  test.each([0, -1, 1.5, 7, Number.NaN])("a factor of %s for six layers", (factor) => {
    const message = `sharing factor: must be a whole number from 1 to the 6 layers, found ${factor}`;
    expect(() => share(6, factor)).toThrow(new InputError(message));
  });

  test.each<[number, number, Pattern, string]>([
    [2, 2, "KeepEnds", "sharing: KeepEnds needs 3 layers or more, found 2"],
    [2, 2, "DenseFront", "sharing: DenseFront needs 3 layers or more, found 2"],
    [1, 1, "DenseBack", "sharing: DenseBack needs 3 layers or more, found 1"],
    [6, 1, "KeepEnds", "sharing: KeepEnds needs a factor of 2 or more, found 1"],
  ])("%s layers at factor %s as %s", (layers, factor, pattern, message) => {
    expect(() => share(layers, factor, pattern)).toThrow(new InputError(message));
  });
});

describe("all sharings", () => {
  test("there are 1, 2, 5, 15, 52 of 1 to 5 layers (Bell numbers), all valid and different", () => {
    for (const [i, count] of [1, 2, 5, 15, 52].entries()) {
      const all = allSharings(i + 1);
      expect(new Set(all.map(String)).size).toBe(count);
      expect(all).toHaveLength(count);
      for (const sharing of all) expect(checkSharing(sharing, i + 1)).toBe(sharing);
    }
  });

  test("groups part the layers, each begun by its owner", () => {
    for (const sharing of allSharings(5)) {
      const groups = owners(sharing).map((owner) => group(sharing, owner));
      expect(groups.flat().sort()).toEqual(unshared(5));
      expect(groups.map(([first]) => first)).toEqual(owners(sharing));
    }
  });
});

const chosen = fc
  .record({ layers: fc.integer({ min: 1, max: 64 }), part: fc.double({ min: 0, max: 1, noNaN: true }) })
  .map(({ layers, part }) => ({ layers, factor: 1 + Math.floor(part * (layers - 1)) }));

test("every pattern at every factor is valid and has as many owners as it says", () => {
  const ownerCount: Record<Pattern, (layers: number, factor: number) => number> = {
    even: (layers, factor) => Math.ceil(layers / factor),
    Tail: (layers, factor) => Math.ceil(layers / factor),
    DenseFront: (layers, factor) => Math.ceil(layers / factor) + 1,
    DenseBack: (layers, factor) => Math.ceil(layers / factor) + 1,
    KeepEnds: (layers, factor) => Math.ceil((layers - 2) / factor) + 2,
  };
  fc.assert(
    fc.property(chosen, fc.constantFrom(...patterns), ({ layers, factor }, pattern) => {
      fc.pre(pattern === "even" || pattern === "Tail" || (layers >= 3 && factor >= 2));
      const sharing = share(layers, factor, pattern);
      expect(checkSharing(sharing, layers)).toHaveLength(layers);
      expect(owners(sharing)).toHaveLength(ownerCount[pattern](layers, factor));
    }),
    { numRuns: 500, seed: 1 },
  );
});

test("even groups are no larger than the factor, and only the first is smaller", () => {
  fc.assert(
    fc.property(chosen, ({ layers, factor }) => {
      const sharing = share(layers, factor);
      const [first = 0, ...rest] = owners(sharing).map((owner) => group(sharing, owner).length);
      expect(first).toBeLessThanOrEqual(factor);
      for (const size of rest) expect(size).toBe(factor);
    }),
    { numRuns: 200, seed: 2 },
  );
});

test("names are the paper's, or spell the sharing out", () => {
  expect(sharingName(unshared(20))).toBe("");
  expect(sharingName(share(20, 2))).toBe("CLA2");
  expect(sharingName(share(20, 3))).toBe("CLA3");
  for (const pattern of ["KeepEnds", "DenseFront", "DenseBack"] as const) {
    expect(sharingName(share(20, 2, pattern))).toBe(`CLA2-${pattern}`);
  }
  expect(sharingName([0, 1, 0, 1])).toBe("CLA(0,1,0,1)");
});
