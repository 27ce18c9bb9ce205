// How a click changes a sharing. Every change leaves a valid one: nothing borrows from a borrower.

import { owners, type Pattern, patternName, patterns, type Sharing, share, unshared } from "../../src/model/sharing.ts";

/**
 * The sharing after `layer` turns to the next it can attend to: itself, then each earlier owner, nearest first. Those
 * that borrowed from it follow it when it stops being an owner.
 */
export function turned(sharing: Sharing, layer: number): Sharing {
  const earlier = owners(sharing).filter((owner) => owner < layer);
  const choices = [layer, ...earlier.reverse()];
  const next = choices[(choices.indexOf(sharing[layer] as number) + 1) % choices.length] as number;
  return sharing.map((owner, other) => (other === layer || (owner === layer && next !== layer) ? next : owner));
}

/** A sharing by its name. */
export interface NamedSharing {
  readonly name: string;
  readonly sharing: Sharing;
}

/** The named sharings that so many layers can have, each once. */
export function namedSharings(layers: number): NamedSharing[] {
  const named = (factor: number, pattern: Pattern) => ({
    name: patternName(factor, pattern),
    sharing: share(layers, factor, pattern),
  });
  const all = [
    { name: "No sharing", sharing: unshared(layers) },
    ...[2, 3, 4].filter((factor) => factor <= layers).map((factor) => named(factor, "even")),
    ...(layers >= 4 ? patterns.slice(1).map((pattern) => named(2, pattern)) : []),
  ];
  return all.filter(({ sharing }, i) => all.findIndex((other) => isSame(other.sharing, sharing)) === i);
}

/** Whether two sharings are one. */
export function isSame(a: Sharing, b: Sharing): boolean {
  return a.length === b.length && a.every((owner, layer) => owner === b[layer]);
}
