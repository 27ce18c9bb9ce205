// One model of a study, closer: what it is, what it reached, what it wrote, and the way to ask it.

import { bytesText, countText, estimateText, integerText, rateText } from "../../src/charts/quantity.ts";
import { Figures } from "../parts/heading.tsx";
import { addressOf } from "../route.ts";
import type { Row } from "./pareto.tsx";

/** The details; `id` is what the model can be asked by, if it can. */
export function Details({ row, id }: { row: Row; id: string | undefined }) {
  return (
    <section class="card details" aria-label={`Details of ${row.name}`}>
      <div class="engine-head">
        <h2>{row.name}</h2>
        {id === undefined ? (
          <p class="note">Its weights are not served.</p>
        ) : (
          <a class="button" href={addressOf("chat", { model: id })}>
            Chat with this model
          </a>
        )}
      </div>
      <Figures
        entries={[
          ["Perplexity", estimateText(row.perplexity)],
          ["Bits per byte", estimateText(row.bitsPerByte, 3)],
          ["KV per token", bytesText(row.kvBytesPerToken)],
          ["Parameters", countText(row.parameters.nonEmbedding), "without embedding"],
          [
            "Learning rate",
            rateText(row.learningRate),
            `${row.seeds.length} ${row.seeds.length === 1 ? "seed" : "seeds"}`,
          ],
          ["Training", integerText(row.tokensPerSecond), "tokens/s"],
        ]}
      />
      {row.sample !== undefined && <blockquote>{row.sample}</blockquote>}
    </section>
  );
}
