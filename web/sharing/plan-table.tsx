// A plan's numbers beside those without sharing.

import { bytesText, countText, integerText } from "../../src/charts/quantity.ts";
import type { Planned, Side } from "./planned.ts";

/** The table. */
export function PlanTable({ plan: { request, shared, unshared } }: { plan: Planned }) {
  const { context, batch, blockSize } = request;
  const rows: readonly (readonly [
    id: string,
    name: string,
    of: (side: Side) => number,
    text: (n: number) => string,
  ])[] = [
    ["context", `Longest context at batch ${integerText(batch)}`, ({ capacity }) => capacity.context, integerText],
    ["batch", `Largest batch at ${integerText(context)} tokens`, ({ capacity }) => capacity.batch, integerText],
    ["tokens", "Tokens in the cache", ({ capacity }) => capacity.blocks * blockSize, integerText],
    ["kv", "KV bytes per token", ({ capacity }) => capacity.kvBytesPerToken, integerText],
    ["parameters", "Parameters", ({ parameters }) => parameters, countText],
    ["weights", "Weights", ({ capacity }) => capacity.weightBytes, bytesText],
  ];
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class="scroll" tabIndex={0} aria-label="Numbers with and without sharing">
      <table class="plan">
        <thead>
          <tr>
            <th scope="col">
              <span class="hidden-text">Quantity</span>
            </th>
            <th scope="col">As drawn</th>
            <th scope="col">Without sharing</th>
            <th scope="col">Ratio</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([id, name, of, text]) => (
            <tr key={id} data-row={id}>
              <th scope="row">{name}</th>
              <td>{text(of(shared))}</td>
              <td>{text(of(unshared))}</td>
              <td>{of(unshared) > 0 ? `×${Number((of(shared) / of(unshared)).toPrecision(3))}` : "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
