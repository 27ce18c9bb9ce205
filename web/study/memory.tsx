// What the same memory holds: the study's models as blocks, the same area for the same bytes. Arithmetic, so certain at any
// scale.

import { bytesText, integerText } from "../../src/charts/quantity.ts";
import { blocksOf, commonMemory } from "../../src/charts/same-memory.ts";
import { Blocks } from "../parts/blocks.tsx";
import type { Row } from "./pareto.tsx";

/** The card: models from the most bytes to the fewest. */
export function Memory({ rows, colors }: { rows: readonly Row[]; colors: ReadonlyMap<string, string> }) {
  const memory = commonMemory(rows);
  return (
    <section class="card" aria-label="What the same memory holds">
      <h2>What the same memory holds</h2>
      <p class="note">
        {bytesText(memory)} of cache for each, in blocks of as many tokens. Arithmetic: it is so at any scale.
      </p>
      <div class="memory">
        {rows.map(({ name, kvBytesPerToken }) => {
          const tokens = Math.floor(memory / kvBytesPerToken);
          const used = blocksOf(kvBytesPerToken, rows);
          return (
            <div key={name} class="memory-row">
              <p>
                <b>{name}</b> {integerText(tokens)} tokens
              </p>
              <Blocks
                {...{ counts: { shared: 0, used, cached: 0, free: 0 }, width: 480, height: 52 }}
                color={colors.get(name) ?? "var(--accent)"}
                label={`${name}: ${integerText(tokens)} tokens in ${bytesText(memory)}`}
              />
            </div>
          );
        })}
      </div>
    </section>
  );
}
