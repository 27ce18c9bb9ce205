// Where keys and values live while a graph is built. The transformer writes an owner's and lets every layer of its group
// attend to them; what a store is made of turns one model definition into a training or a decoding graph.

import type { Value } from "../graph/value.ts";

/** Keys and values by owner. Rows are tokens: queries are `[N, H·D]`, keys and values `[N, G·D]`. */
export interface KvStore {
  /** Queries or keys turned to their tokens' positions. */
  rotate(x: Value): Value;
  /** Keeps the keys (already rotated, once for all that read them) and values that layer `owner` computed. */
  write(owner: number, keys: Value, values: Value): void;
  /** Causal attention of `queries` over what `owner` wrote: `[N, H·D]`. */
  attend(owner: number, queries: Value): Value;
}
