// A study in a table, a row per model: the Pareto plot for those who read numbers.

import { countText, estimateText, integerText, rateText } from "../../src/charts/quantity.ts";
import type { Row } from "./pareto.tsx";

/** The table; the chosen model's row is marked. */
export function SummaryTable({ rows, chosen }: { rows: readonly Row[]; chosen: string }) {
  return (
    <div class="card">
      <h2 id="summary-title">In numbers</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <section class="scroll" tabIndex={0} aria-labelledby="summary-title">
        <table class="stacking">
          <thead>
            <tr>
              <th scope="col">Model</th>
              <th scope="col">KV B/token</th>
              <th scope="col">Parameters</th>
              <th scope="col">Learning rate</th>
              <th scope="col">Seeds</th>
              <th scope="col">Perplexity</th>
              <th scope="col">Bits/byte</th>
              <th scope="col">Front</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.name} class={row.name === chosen ? "chosen" : undefined}>
                <th scope="row">{row.name}</th>
                <td data-label="KV B/token">{integerText(row.kvBytesPerToken)}</td>
                <td data-label="Parameters">{countText(row.parameters.nonEmbedding)}</td>
                <td data-label="Learning rate">{rateText(row.learningRate)}</td>
                <td data-label="Seeds">{row.seeds.length}</td>
                <td data-label="Perplexity">{estimateText(row.perplexity)}</td>
                <td data-label="Bits/byte">{estimateText(row.bitsPerByte, 4)}</td>
                <td data-label="Front">{row.onFront ? "yes" : "no"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </div>
  );
}
