// The KvStore of training, evaluation and prompts in one piece: keys and values are graph values, no cache is kept.

import { concat, reshape, rotary, slice, softmaxWeighted } from "../graph/ops.ts";
import { constant } from "../graph/trace.ts";
import type { Value } from "../graph/value.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { joinHeads, masked, scaledScores, splitHeads } from "./attention.ts";
import type { ModelConfig } from "./config.ts";
import type { KvStore } from "./kv.ts";
import { rotaryTables } from "./rotary.ts";

/** Queries are attended in blocks of this many tokens, each to the keys before its end: half the work, in the limit. */
const defaultBlock = 128;

/** Where the tokens of a graph sit: row b·length + t is token t of sequence b. */
export interface CausalOptions {
  batch: number;
  length: number;
  block?: number;
}

/** Full causal attention within each of `batch` sequences of `length` tokens that all start at position 0. */
export function causalStore(config: ModelConfig, { batch, length, block = defaultBlock }: CausalOptions): KvStore {
  const { kvHeads, headDim, heads } = config;
  const tables = rotaryTables(config, length);
  const [cos, sin] = [constant(tables.cos), constant(tables.sin)];
  const positions = constant({
    dtype: "int64",
    shape: [batch, length],
    data: BigInt64Array.from({ length: batch * length }, (_, i) => BigInt(i % length)),
  });
  const stored = new Map<number, { keys: Value; values: Value }>();
  const rows = (x: Value, count: number) => reshape(x, [batch, length, count * headDim]);
  const ends = Array.from({ length: Math.ceil(length / block) }, (_, i) => Math.min(length, (i + 1) * block));
  const masks = ends.map((end, i) => constant(causalMask(i * block, end)));

  return {
    rotate: (x) => {
      const count = (x.shape.at(-1) as number) / headDim;
      return reshape(rotary(rows(x, count), positions, cos, sin), x.shape);
    },
    write: (owner, keys, values) => {
      stored.set(owner, {
        keys: splitHeads(rows(keys, kvHeads), kvHeads, config),
        values: splitHeads(rows(values, kvHeads), kvHeads, config),
      });
    },
    attend: (owner, queries) => {
      const kv = stored.get(owner);
      if (!kv) throw new TypeError(`attend: layer ${owner} has written no keys and values`);
      const perToken = heads / kvHeads;
      const split = splitHeads(rows(queries, heads), heads, config);
      const blocks = ends.map((end, i) => {
        const q = slice(split, 2, i * block * perToken, end * perToken); // [B, G, Tb·R, D]
        const scores = masked(scaledScores(q, slice(kv.keys, 2, 0, end), config), masks[i] as Value); // [B, G, Tb·R, end]
        return softmaxWeighted(scores, slice(kv.values, 2, 0, end));
      });
      return reshape(joinHeads(concat(blocks, 2), length, config), queries.shape);
    },
  };
}

/** `[end − start, end]`: token start + i sees positions 0 … start + i. */
export function causalMask(start: number, end: number): Tensor<"float32"> {
  const data = new Float32Array((end - start) * end);
  for (let i = 0; i < end - start; i++) data.fill(Number.NEGATIVE_INFINITY, i * end + start + i + 1, (i + 1) * end);
  return { dtype: "float32", shape: [end - start, end], data };
}
