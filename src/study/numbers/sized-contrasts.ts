// The two questions of the paper against models' size: what halving the cache by sharing costs, and whether it costs less
// than halving it by smaller heads.

import { isDeepStrictEqual } from "node:util";
import { unsharedTwin } from "../../model/cost.ts";
import { isShared } from "../../model/sharing.ts";
import type { Contrast } from "./contrasts.ts";
import type { SummaryRow } from "./summary.ts";

/** A difference at a size. */
export interface SizedContrast {
  /** Sharing against the same model without, or against one of the same cache that shares nothing. */
  readonly kind: "twin" | "sameCache";
  /** Without embeddings, of the model that shares. */
  readonly parameters: number;
  /** Nats per token; below zero sharing is better. */
  readonly difference: number;
  /** 95 %; absent where there was one run. */
  readonly interval?: readonly [number, number] | undefined;
  /** Whose it is, as a drawing says it. */
  readonly label: string;
}

/** Those of a study's planned contrasts that ask one of the two. */
export function sizedContrasts(contrasts: readonly Contrast[], summary: readonly SummaryRow[]): SizedContrast[] {
  return contrasts.flatMap(({ model, against, difference, interval, seeds }) => {
    const [a, b] = [model, against].map((name) => summary.find((row) => row.name === name)) as [SummaryRow, SummaryRow];
    if (!isShared(a.model.sharing) || isShared(b.model.sharing)) return [];
    const isTwin = isDeepStrictEqual(b.model, unsharedTwin(a.model));
    if (!isTwin && a.kvBytesPerToken !== b.kvBytesPerToken) return [];
    const { layers, width } = a.model;
    return {
      ...({ kind: isTwin ? "twin" : "sameCache", difference, interval } as const),
      ...{
        parameters: a.parameters.nonEmbedding,
        label: `${layers} × ${width}, ${seeds.length} ${seeds.length === 1 ? "seed" : "seeds"}`,
      },
    };
  });
}

/** From perplexities at tuned learning rates, one run each (arXiv 2405.12981, §5): CLA2, its twin, the same cache. */
const paper: readonly [label: string, parameters: number, perplexities: readonly [number, number, number]][] = [
  ["paper, 1B", 845.4e6, [12.43, 12.39, 12.74]],
  ["paper, 3B, heads of 128", 3.032e9, [9.34, 9.52, 9.48]],
  ["paper, 3B, heads of 64, Wikitext", 3.032e9, [12.99, 12.94, 13.34]],
];

/** What the paper found. */
export const paperContrasts: readonly SizedContrast[] = paper.flatMap(([label, parameters, [shared, twin, same]]) => [
  { kind: "twin", parameters, difference: Math.log(shared / twin), label },
  { kind: "sameCache", parameters, difference: Math.log(shared / same), label },
]);
