// Which heads are merged into one. A merged head is a KV head of the target's owner; every source gives each as many of its
// heads. Within a layer the order of heads is free (queries and output are reordered with it), so heads are matched by
// how much of them one head can hold.

import type { Merge } from "./target.ts";

/** A head of a source: keys and values that one head of the target is to stand for. */
export interface Unit {
  /** Its place among the merge's sources. */
  readonly source: number;
  readonly head: number;
}

/** The units of every merged head, sources in order and each source's heads together. */
export type MergedHeads = readonly (readonly Unit[])[];

/** Merged in the order that heads have: neighbours are merged, and equal places of different layers. */
export function heads(merge: Merge, kvHeads: number, count: number): MergedHeads {
  const each = kvHeads / count;
  return Array.from({ length: count }, (_, merged) =>
    merge.sources.flatMap((_, source) => Array.from({ length: each }, (_, i) => ({ source, head: merged * each + i }))),
  );
}

/**
 * Merged as heads match: from the order that they have, two heads of a source change places as long as that
 * gains. `gain(a, b)` says how much is saved by having two units in one merged head.
 */
export function matchedHeads(
  merge: Merge,
  kvHeads: number,
  count: number,
  gain: (a: Unit, b: Unit) => number,
): MergedHeads {
  if (count === 1) return heads(merge, kvHeads, count);
  const units = merge.sources.flatMap((_, source) => Array.from({ length: kvHeads }, (_, head) => ({ source, head })));
  const id = ({ source, head }: Unit) => source * kvHeads + head;
  const each = kvHeads / count;
  const gains = units.map(() => new Float64Array(units.length));
  for (const [i, a] of units.entries()) {
    for (const [j, b] of units.entries()) {
      if (j <= i || (each === 1 && a.source === b.source)) continue; // never in one
      const gained = gain(a, b);
      (gains[i] as Float64Array)[j] = gained;
      (gains[j] as Float64Array)[i] = gained;
    }
  }
  const mergedOf = units.map(({ head }) => Math.floor(head / each));
  /** What unit `a` gains from those in `merged`, without `but`. */
  const held = (a: number, merged: number, but: number) =>
    units.reduce(
      (sum, b) => sum + (mergedOf[id(b)] === merged && id(b) !== but ? (gains[a]?.[id(b)] as number) : 0),
      0,
    );
  for (let improved = true; improved; ) {
    improved = false;
    for (const a of units.map(id)) {
      for (const b of units.map(id)) {
        const [from, to] = [mergedOf[a] as number, mergedOf[b] as number];
        if (b <= a || from === to || units[a]?.source !== units[b]?.source) continue;
        const change = held(a, to, b) + held(b, from, a) - held(a, from, a) - held(b, to, b);
        if (!(change > 1e-9 * Math.abs(held(a, from, a) + held(b, to, b)) + Number.MIN_VALUE)) continue;
        [mergedOf[a], mergedOf[b]] = [to, from];
        improved = true;
      }
    }
  }
  return Array.from({ length: count }, (_, merged) => units.filter((unit) => mergedOf[id(unit)] === merged));
}
