// Pipeline parallelism: the layers in stages, one after the other. A cut is the first layer of a stage. Layers that share
// keys and values must sit in one stage, or those must travel between stages (paper, systems implications).

import { InputError } from "../error.ts";
import { group, owners, type Sharing } from "../model/sharing.ts";

/** Layers `first` to `last` of a model. */
export interface Stage {
  readonly first: number;
  readonly last: number;
}

/** A sharing group that lies in more than one stage. */
export interface SplitGroup {
  readonly owner: number;
  /** The stage that computes the keys and values. */
  readonly stage: number;
  /** Later stages that read them, and by which layers. */
  readonly readers: readonly { readonly stage: number; readonly layers: readonly number[] }[];
}

/**
 * Cuts into stages that differ by a layer at most. As in vLLM, the last stage is not among the longer ones, since it has
 * the head, and the first one only if it must be. @throws InputError if there are more stages than layers.
 */
export function evenCuts(layers: number, stages: number): number[] {
  if (stages > layers) {
    throw new InputError(
      `pipeline parallel: ${stages} stages asked, the model has ${layers} layers; use ${layers} or fewer`,
    );
  }
  const sizes = new Array<number>(stages).fill(Math.floor(layers / stages));
  for (let more = 0; more < layers % stages; more++) sizes[stages - 2 - more]!++;
  let start = 0;
  return sizes.slice(0, -1).map((size) => (start += size));
}

/** Returns `cuts` if they are rising layers of the model; throws an InputError if not. */
export function checkCuts(cuts: readonly number[], layers: number): readonly number[] {
  const wrong = cuts.find((cut, i) => !Number.isInteger(cut) || cut <= (cuts[i - 1] ?? 0) || cut >= layers);
  if (wrong === undefined) return cuts;
  throw new InputError(
    `cuts: ${cuts.join(",")} asked, ${wrong} is wrong; name the first layer of each stage but the first, rising, from 1 to ${layers - 1}`,
  );
}

/** The stages between cuts. */
export function stagesOf(cuts: readonly number[], layers: number): Stage[] {
  return [0, ...cuts].map((first, i) => ({ first, last: (cuts[i] ?? layers) - 1 }));
}

/** The groups that cuts split, in the owners' order. */
export function splitGroups(sharing: Sharing, cuts: readonly number[]): SplitGroup[] {
  const stages = stagesOf(cuts, sharing.length);
  const inside = (layer: number, { first, last }: Stage) => first <= layer && layer <= last;
  return owners(sharing).flatMap((owner) => {
    const members = group(sharing, owner);
    const home = stages.findIndex((stage) => inside(owner, stage));
    const readers = stages
      .map((stage, index) => ({ stage: index, layers: members.filter((layer) => inside(layer, stage)) }))
      .filter(({ stage, layers }) => stage !== home && layers.length > 0);
    return readers.length > 0 ? [{ owner, stage: home, readers }] : [];
  });
}

/** Every cut that splits no group. */
export function freeCuts(sharing: Sharing): number[] {
  let reach = 0; // the last layer that reads from below
  return sharing.flatMap((_, layer) => {
    const free = layer > reach;
    reach = Math.max(reach, ...group(sharing, layer));
    return free ? [layer] : [];
  });
}

/**
 * As many cuts, none of which splits a group, nearest to `cuts`: with the least sum of squared distances; of several such,
 * the one with the most even stages. Undefined if there are not so many.
 */
export function nearestFreeCuts(sharing: Sharing, cuts: readonly number[]): number[] | undefined {
  interface Way {
    readonly distance: number;
    /** Sum of squared sizes of the stages so far. */
    readonly unevenness: number;
    readonly cuts: readonly number[];
  }
  const extended = (way: Way, cut: number, wanted: number): Way => ({
    distance: way.distance + (cut - wanted) ** 2,
    unevenness: way.unevenness + (cut - (way.cuts.at(-1) ?? 0)) ** 2,
    cuts: [...way.cuts, cut],
  });
  const better = (a: Way, b: Way) => (a.distance - b.distance || a.unevenness - b.unevenness) < 0;
  const best = (ways: readonly Way[]) =>
    ways.reduce<Way | undefined>((a, b) => (a && !better(b, a) ? a : b), undefined);
  const free = freeCuts(sharing);
  let ways: Way[] = [{ distance: 0, unevenness: 0, cuts: [] }]; // the best one for each last cut
  for (const wanted of cuts) {
    ways = free.flatMap((cut) => {
      const way = best(ways.filter((before) => (before.cuts.at(-1) ?? 0) < cut).map((w) => extended(w, cut, wanted)));
      return way ? [way] : [];
    });
  }
  const end = sharing.length; // no cut, so at no distance, but it ends the last stage
  const whole = best(ways.map((way) => ({ ...extended(way, end, end), cuts: way.cuts })));
  return whole && [...whole.cuts];
}
