// How one model's engine stands: its blocks, who runs and who waits, and how much more would fit.

import { bytesText, integerText } from "../../src/charts/quantity.ts";
import type { EngineStats } from "../../src/engine/stats.ts";
import { sequencesThatFit } from "../../src/plan/kv-blocks.ts";
import type { ModelCard } from "../../src/server/page-api.ts";
import { Figures } from "../parts/heading.tsx";
import { BlockGrid } from "./block-grid.tsx";

/** The card; `context` is the length of the sequences that are to fit, in tokens. */
export function EngineCard({ card, stats, context }: { card: ModelCard; stats: EngineStats; context: number }) {
  const { blocks, blockSize, kvBytes, kvBytesUsed } = stats;
  const more = sequencesThatFit(blocks.free + blocks.cached, context, blockSize);
  return (
    <section class="card engine" aria-label={`Cache of ${card.name}`}>
      <div class="engine-head">
        <h2>{card.name}</h2>
        <p class="note">
          {bytesText(kvBytesUsed)} of {bytesText(kvBytes)} in use; blocks of {integerText(blockSize)} tokens,{" "}
          {card.kvDtype}
        </p>
      </div>
      <BlockGrid blocks={blocks} />
      <Figures
        entries={[
          ["Running", integerText(stats.running)],
          ["Waiting", integerText(stats.waiting)],
          ["More would fit", integerText(more), `of ${integerText(context)} tokens`],
          ["Found in the cache", `${(100 * stats.prefixHitRate).toFixed(0)}%`, "of prompt tokens"],
          ["Preemptions", integerText(stats.preemptions)],
          ["Decoding", integerText(stats.decodeRate), "tokens/s"],
        ]}
      />
    </section>
  );
}
