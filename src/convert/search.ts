// The sharing that loses least at a KV budget. Runs of neighbouring layers are merged alone, and how far the model's
// predictions move is measured; what runs that do not overlap lose nearly adds up, so the best cut of the layers into so
// many runs is found by dynamic programming, without trying cuts. A long run is measured only if the best cut may hold it.

import { InputError } from "../error.ts";
import type { ModelConfig } from "../model/config.ts";
import { kvBytesPerToken } from "../model/cost.ts";
import { owners, type Sharing } from "../model/sharing.ts";
import type { Device } from "../runtime/device.ts";
import type { Tensor, Tensors } from "../tensor/tensor.ts";
import { calibrate } from "./calibration.ts";
import { converted, type Making, mergeMaker } from "./convert.ts";
import { Divergence } from "./divergence.ts";
import type { Init } from "./init.ts";
import { changes, targetConfig } from "./target.ts";

/** How many KV bytes the target may have for a token, in float32: so many, or such a part of the model's own. */
export type Budget = { readonly bytes: number } | { readonly ratio: number };

/** What is searched, and by what. */
export interface SearchOptions {
  readonly budget: Budget;
  readonly init: Init;
  readonly kvHeads?: number | undefined;
  /** Calibration text, `[batch, length]`. */
  readonly windows: readonly Tensor<"int32">[];
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((stage: "calibrating" | "searching", done: number, total: number) => void) | undefined;
}

/** A sharing, and what each of its runs of several layers loses when it is merged alone. */
export interface Searched {
  readonly sharing: Sharing;
  /** KL divergence from the model before, nats per token of the calibration text, by "first-last" layer. */
  readonly losses: Readonly<Record<string, number>>;
  /** The weights of the model converted to it. */
  readonly weights: Tensors;
}

/** Tokens that a merge is measured on. */
const measuredTokens = 8192;

/** Finds the sharing. @throws InputError where not even one owner fits the budget. */
export async function searchedSharing(
  device: Device,
  from: ModelConfig,
  weights: Tensors,
  { budget, init, kvHeads, windows, signal, onProgress }: SearchOptions,
): Promise<Searched> {
  const own = owners(from.sharing);
  const unmerged = targetConfig(from, { kvHeads });
  const count = affordableOwners(budget, from, unmerged);
  const longest = Math.min(own.length, Math.max(4, 2 * Math.ceil(own.length / count)));
  const isAlike = (layers: readonly number[]) =>
    new Set(layers.map((layer) => from.noRope?.includes(layer))).size === 1;
  const runs = neighbours(own.length, longest).filter(
    ([first, last]) => count < own.length && isAlike(own.slice(first, last + 1)), // keys turn, or they do not
  );
  const sharingOf = (ranges: readonly Range[]): Sharing => {
    const ownerOf = new Map(own.map((layer) => [layer, layer]));
    for (const [first, last] of ranges) {
      for (const layer of own.slice(first, last + 1)) ownerOf.set(layer, own[first] as number);
    }
    return from.sharing.map((layer) => ownerOf.get(layer) as number);
  };
  const targetOf = (ranges: readonly Range[]) => targetConfig(from, { sharing: sharingOf(ranges), kvHeads });
  const needed = [[], ...runs.map((run) => [run])].flatMap((ranges) => changes(from, targetOf(ranges)));
  const making: Making =
    init === "fit" && needed.length > 0
      ? {
          init,
          moments: await calibrate(device, from, weights, windows, needed, {
            signal,
            onProgress: (done, total) => onProgress?.("calibrating", done, total),
          }),
        }
      : { init: init === "fit" ? "owner" : init };
  const make = mergeMaker(from, weights, unmerged.kvHeads, making);
  const unmergedWeights = converted(from, weights, unmerged, make);
  const batchTokens = windows[0]?.data.length ?? measuredTokens;
  const measured = windows.slice(0, Math.max(1, Math.floor(measuredTokens / batchTokens)));
  using divergence = await Divergence.create(device, unmerged, unmergedWeights, measured);
  let done = 0;
  const { cut, cost } = await cheapestCut(own.length, count, runs, async (run) => {
    signal?.throwIfAborted();
    const target = targetOf([run]);
    const lost = await divergence.of(target, converted(from, weights, target, make));
    onProgress?.("searching", ++done, runs.length);
    return lost;
  });
  if (cut.some((run) => !Number.isFinite(cost(run)))) {
    throw new InputError(
      `--search: no sharing of ${count} owners keeps layers with and without rotary embedding (noRope) apart; give a larger budget`,
    );
  }
  onProgress?.("searching", runs.length, runs.length);
  const named = cut
    .filter(([first, last]) => last > first)
    .map((run) => [`${own[run[0]]}-${own[run[1]]}`, cost(run)] as const);
  return {
    sharing: sharingOf(cut),
    losses: Object.fromEntries(named),
    weights: converted(from, weights, targetOf(cut), make),
  };
}

/** The first and the last of neighbouring owners, by their places. */
export type Range = readonly [first: number, last: number];

const keyOf = ([first, last]: Range) => `${first}-${last}`;

/** Every run of 2 to `longest` neighbours of `count`. */
function neighbours(count: number, longest: number): Range[] {
  const found: Range[] = [];
  for (let first = 0; first < count; first++) {
    for (let last = first + 1; last < Math.min(count, first + longest); last++) found.push([first, last]);
  }
  return found;
}

/**
 * The cut of `count` places into at most `most` runs of the least total cost, where a run costs no less than its parts
 * together. Pairs are measured all, and longer runs once the best cut has them: until then they are taken to cost what
 * their parts do. A run of several that is not in `runs` costs `Infinity`.
 */
export async function cheapestCut(
  count: number,
  most: number,
  runs: readonly Range[],
  measure: (run: Range) => Promise<number>,
): Promise<{ cut: Range[]; cost: (run: Range) => number }> {
  const measured = new Map<string, number>();
  const least = new Map<string, number>();
  const allowed = new Set(runs.map(keyOf));
  const cost = (run: Range): number => {
    const key = keyOf(run);
    if (run[0] === run[1]) return 0;
    if (!allowed.has(key)) return Number.POSITIVE_INFINITY;
    const known = measured.get(key) ?? least.get(key) ?? ofParts(run);
    least.set(key, known);
    return known;
  };
  const ofParts = ([first, last]: Range): number =>
    Math.max(...Array.from({ length: last - first }, (_, i) => cost([first, first + i]) + cost([first + i + 1, last])));
  let due = runs.filter(([first, last]) => last - first === 1);
  for (;;) {
    for (const run of due) measured.set(keyOf(run), await measure(run));
    least.clear();
    const cut = bestCut(count, most, cost);
    due = cut.filter((run) => allowed.has(keyOf(run)) && !measured.has(keyOf(run)));
    if (due.length === 0) return { cut, cost };
  }
}

/** The cut of `count` places into at most `most` runs of the least total cost (dynamic programming). */
export function bestCut(count: number, most: number, cost: (run: Range) => number): Range[] {
  interface Best {
    readonly total: number;
    readonly runs: readonly Range[];
  }
  // best[end]: the first `end` places cut into as many runs as rounds are done.
  let best: (Best | undefined)[] = Array.from({ length: count + 1 }, (_, end) =>
    end === 0 ? { total: 0, runs: [] } : undefined,
  );
  let found: Best | undefined;
  for (let round = 1; round <= most; round++) {
    best = best.map((_, end) => {
      let chosen: Best | undefined;
      for (let first = 0; first < end; first++) {
        const before = best[first];
        const run: Range = [first, end - 1];
        if (!before) continue;
        const total = before.total + cost(run);
        if (!chosen || total < chosen.total) chosen = { total, runs: [...before.runs, run] };
      }
      return chosen;
    });
    const whole = best[count];
    if (whole && (!found || whole.total < found.total)) found = whole;
  }
  return [...(found as Best).runs];
}

/** How many owners of a target with `unmerged`'s heads fit a budget. @throws InputError where not even one does. */
export function affordableOwners(budget: Budget, from: ModelConfig, unmerged: ModelConfig): number {
  const own = owners(from.sharing).length;
  const all = kvBytesPerToken(unmerged, "float32");
  const bytes = "bytes" in budget ? budget.bytes : budget.ratio * kvBytesPerToken(from, "float32");
  const affordable = Math.floor((bytes / all) * own + 1e-9);
  if (affordable >= 1) return Math.min(own, affordable);
  throw new InputError(
    `--search: ${Math.floor(bytes)} bytes per token are asked, one owner's keys and values take ${all / own} (float32); give more, or fewer KV heads`,
  );
}
