// The blocks of a model's cache, each a square by its state; where there are too many, one bar in their proportions.

import { integerText } from "../../src/charts/quantity.ts";
import type { EngineStats } from "../../src/engine/stats.ts";

/** Most blocks that are drawn one by one. */
const drawn = 600;

/** States in the order they are drawn in, and what they mean. */
const states = [
  ["shared", "used by several (a shared beginning)"],
  ["used", "used by one"],
  ["cached", "kept for the next that begins alike"],
  ["free", "free"],
] as const;

/** Blocks by state; those that several sequences use are not counted as used by one. */
export function blockCounts({ used, shared, cached, free }: EngineStats["blocks"]) {
  return { shared, used: used - shared, cached, free };
}

/** The grid and its legend. */
export function BlockGrid({ blocks }: { blocks: EngineStats["blocks"] }) {
  const counts = blockCounts(blocks);
  const label = `${integerText(blocks.total)} blocks: ${states.map(([state, text]) => `${integerText(counts[state])} ${text}`).join(", ")}`;
  return (
    <>
      {blocks.total <= drawn ? (
        <div class="blocks" role="img" aria-label={label}>
          {states.flatMap(([state]) =>
            Array.from({ length: counts[state] }, (_, i) => <i key={`${state}${i}`} class={`block ${state}`} />),
          )}
        </div>
      ) : (
        <div class="block-bar" role="img" aria-label={label}>
          {states.map(([state]) => (
            <i key={state} class={`block ${state}`} style={{ flexGrow: counts[state] }} />
          ))}
        </div>
      )}
      <ul class="legend">
        {states.map(([state, text]) => (
          <li key={state}>
            <i class={`swatch block ${state}`} />
            <b>{integerText(counts[state])}</b> {text}
          </li>
        ))}
      </ul>
    </>
  );
}
