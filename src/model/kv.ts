// Where keys and values live while a graph is built. The transformer writes what each owner computes, and every layer
// attends to what it uses. The store decides whether one model definition becomes a training or a decoding graph.

import type { Value } from "../graph/value.ts";
import type { Source } from "./sharing.ts";

/** Keys and values by the layer that computed them. Rows are tokens: queries are `[N, H·D]`, keys and values `[N, G·D]`. */
export interface KvStore {
  /** Queries or keys turned to their tokens' positions. */
  rotate(x: Value): Value;
  /** Keeps the keys of layer `owner`, already rotated, once for all that read them. */
  writeKeys(owner: number, keys: Value): void;
  /** Keeps the values of layer `owner`. */
  writeValues(owner: number, values: Value): void;
  /** Causal attention of `queries` over the keys and values that `source` names: `[N, H·D]`. */
  attend(source: Source, queries: Value): Value;
}

/** What layers have written, by layer; asking for what is not there throws a TypeError naming `what`. */
export class Written<T> {
  readonly #what: string;
  readonly #found = new Map<number, T>();

  constructor(what: string) {
    this.#what = what;
  }

  set(layer: number, written: T): void {
    this.#found.set(layer, written);
  }

  of(layer: number): T {
    const found = this.#found.get(layer);
    if (found === undefined) throw new TypeError(`attend: layer ${layer} has written no ${this.#what}`);
    return found;
  }
}
