// The KvStore of decoding: every owner's past keys and values are graph inputs, its new ones graph outputs. One sequence;
// borrowers have neither inputs nor outputs of their own, which is all there is to sharing a cache.

import { add, concat, matmul, reshape, rotary, softmax } from "../graph/ops.ts";
import { constant, input } from "../graph/trace.ts";
import type { Value } from "../graph/value.ts";
import { joinHeads, scaledScores, splitHeads } from "./attention.ts";
import type { ModelConfig } from "./config.ts";
import type { KvStore } from "./kv.ts";
import { rotaryTables } from "./rotary.ts";
import { owners } from "./sharing.ts";

/** The graph's names for an owner's cache: an input of past rows, and an output of new ones. */
export const cacheNames = (owner: number) => ({ keys: `kv.${owner}.k`, values: `kv.${owner}.v` });

/** A decoding store and what it adds to the graph. */
export interface CachedStore extends KvStore {
  /** New rows `[T, G·D]` by cache name. */
  readonly written: Record<string, Value>;
}

/**
 * Attention over S cached positions and T new tokens of one sequence. Adds the inputs `positions [1, T]` (int64),
 * `mask [T·R, S + T]` (0 or −∞) and, for each owner, `kv.<owner>.k` and `.v`, both `[S, G·D]`.
 * `positions` must stay under `limit`.
 */
export function cachedStore(config: ModelConfig, limit: number): CachedStore {
  const { heads, kvHeads, headDim } = config;
  const tables = rotaryTables(config, limit);
  const [cos, sin] = [constant(tables.cos), constant(tables.sin)];
  const positions = input("positions", "int64", [1, "T"]);
  const repeat = heads / kvHeads;
  const mask = input("mask", "float32", [repeat === 1 ? "T" : `T·${repeat}`, "S+T"]);
  const written: Record<string, Value> = {};
  const past = new Map(
    owners(config.sharing).map((owner) => {
      const name = cacheNames(owner);
      const cached = (key: string) => input(key, "float32", ["S", kvHeads * headDim]);
      return [owner, { keys: cached(name.keys), values: cached(name.values) }];
    }),
  );
  const split = (x: Value, count: number) =>
    splitHeads(reshape(x, [1, x.shape[0] as string, count * headDim]), count, config);

  return {
    written,
    rotate: (x) => {
      const width = x.shape.at(-1) as number;
      return reshape(rotary(reshape(x, [1, "T", width]), positions, cos, sin), x.shape);
    },
    write: (owner, keys, values) => {
      const name = cacheNames(owner);
      written[name.keys] = keys;
      written[name.values] = values;
    },
    attend: (owner, queries) => {
      const cached = past.get(owner);
      const name = cacheNames(owner);
      const [keys, values] = [written[name.keys], written[name.values]];
      if (!cached || !keys || !values) throw new TypeError(`attend: layer ${owner} has written no keys and values`);
      const q = split(queries, heads); // [1, G, T·R, D]
      const scores = (k: Value) => scaledScores(q, split(k, kvHeads), config);
      const joined = concat([split(cached.values, kvHeads), split(values, kvHeads)], 2, "S+T"); // [1, G, S + T, D]
      const weights = softmax(add(concat([scores(cached.keys), scores(keys)], 3, "S+T"), mask));
      return reshape(joinHeads(matmul(weights, joined), "T", config), queries.shape);
    },
  };
}
