import { describe, expect, test } from "vitest";
import { heads, matchedHeads, type Unit } from "../../src/convert/heads.ts";
import type { Merge } from "../../src/convert/target.ts";
import { Random } from "../../src/tensor/random.ts";

const merge = (sources: number): Merge => ({
  owner: 0,
  sources: Array.from({ length: sources }, (_, layer) => ({ owner: layer, readers: [layer] })),
});

describe("heads", () => {
  test("in order, neighbours and equal places of layers become one", () => {
    expect(heads(merge(2), 4, 2)[1]).toEqual([
      { source: 0, head: 2 },
      { source: 0, head: 3 },
      { source: 1, head: 2 },
      { source: 1, head: 3 },
    ]);
  });

  test("are matched to those that they are alike, whatever their order", () => {
    const [sources, kvHeads] = [3, 8];
    const random = new Random(3);
    const kinds = Array.from({ length: sources }, () => random.permutation(kvHeads));
    const kind = ({ source, head }: Unit) => kinds[source]?.[head] as number;
    const matched = matchedHeads(merge(sources), kvHeads, kvHeads, (a, b) =>
      kind(a) === kind(b) ? 1 : random.uniform() / 4,
    );
    for (const merged of matched) expect(new Set(merged.map(kind)).size).toBe(1);
  });

  test("of one layer are merged with those that they are alike", () => {
    const kinds = [0, 1, 2, 0, 1, 2];
    const matched = matchedHeads(merge(1), 6, 3, (a, b) => (kinds[a.head] === kinds[b.head] ? 1 : 0));
    expect(matched.map((merged) => merged.length)).toEqual([2, 2, 2]);
    for (const merged of matched) expect(new Set(merged.map(({ head }) => kinds[head])).size).toBe(1);
  });

  test("matching is never worse than the order that they have", () => {
    const random = new Random(11);
    const table = Array.from({ length: 24 }, () => Array.from({ length: 24 }, () => random.uniform()));
    const gain = (a: Unit, b: Unit) => {
      const [i, j] = [a, b].map(({ source, head }) => source * 12 + head).sort((x, y) => x - y) as [number, number];
      return table[i]?.[j] as number;
    };
    const total = (matched: ReturnType<typeof heads>) =>
      matched.reduce(
        (sum, merged) =>
          sum + merged.flatMap((a, i) => merged.slice(i + 1).map((b) => gain(a, b))).reduce((x, y) => x + y, 0),
        0,
      );
    for (const count of [12, 4, 2, 1]) {
      const found = matchedHeads(merge(2), 12, count, gain);
      expect(total(found)).toBeGreaterThanOrEqual(total(heads(merge(2), 12, count)));
      const all = found.flat().map(({ source, head }) => source * 12 + head);
      expect(new Set(all).size).toBe(24);
      for (const source of [0, 1]) {
        for (const merged of found) expect(merged.filter((unit) => unit.source === source).length).toBe(12 / count);
      }
    }
  });
});
