// The KvStore of training, evaluation and prompts in one piece: keys and values are graph values, no cache is kept.

import { cast, causalAttention, concat, reshape, rotary, slice, softmaxWeighted } from "../graph/ops.ts";
import { constant } from "../graph/trace.ts";
import type { Value } from "../graph/value.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { joinHeads, masked, scaledScores, splitHeads } from "./attention.ts";
import type { DecoderConfig } from "./config.ts";
import { type KvStore, Written } from "./kv.ts";
import { type Precision, precisions } from "./precision.ts";
import { rotaryTables } from "./rotary.ts";

/** Where the tokens of a graph sit: row b·length + t is token t of sequence b. */
export interface CausalOptions {
  batch: number;
  length: number;
  /** Queries are attended in blocks of this many tokens, each to the keys before its end; all at once if not said. */
  block?: number;
  /** "blocks", the default, writes attention out; "fused" leaves it one operation, for devices with a kernel for it. */
  attention?: "blocks" | "fused";
  /** What fused attention multiplies in. */
  precision?: Precision;
}

/** Full causal attention within each of `batch` sequences of `length` tokens that all start at position 0. */
export function causalStore(config: DecoderConfig, options: CausalOptions): KvStore {
  const { batch, length } = options;
  const { kvHeads, headDim } = config;
  const tables = rotaryTables(config, length);
  const [cos, sin] = [constant(tables.cos), constant(tables.sin)];
  const positions = constant({
    dtype: "int64",
    shape: [batch, length],
    data: BigInt64Array.from({ length: batch * length }, (_, i) => BigInt(i % length)),
  });
  const written = { keys: new Written<Value>("keys"), values: new Written<Value>("values") };
  const rows = (x: Value, count: number) => reshape(x, [batch, length, count * headDim]);
  const { split, attend } = (options.attention === "fused" ? fusedAttention : blockAttention)(config, options);

  return {
    rotate: (x) => {
      const count = (x.shape.at(-1) as number) / headDim;
      return reshape(rotary(rows(x, count), positions, cos, sin), x.shape);
    },
    writeKeys: (owner, keys) => written.keys.set(owner, split(rows(keys, kvHeads), kvHeads)),
    writeValues: (owner, values) => written.values.set(owner, split(rows(values, kvHeads), kvHeads)),
    attend: (source, queries) => {
      const heads = split(rows(queries, config.heads), config.heads);
      return reshape(attend(heads, written.keys.of(source.keys), written.values.of(source.values)), queries.shape);
    },
  };
}

/** How heads are split off rows `[B, T, heads·D]`, and what attends to them: `[B, T, H·D]`, however split further. */
interface Attention {
  split(x: Value, heads: number): Value;
  attend(queries: Value, keys: Value, values: Value): Value;
}

function blockAttention(config: DecoderConfig, { length, block = length }: CausalOptions): Attention {
  const ends = Array.from({ length: Math.ceil(length / block) }, (_, i) => Math.min(length, (i + 1) * block));
  const masks = ends.map((end, i) => constant(causalMask(i * block, end)));
  const perToken = config.heads / config.kvHeads;
  return {
    split: (x, heads) => splitHeads(x, heads, config),
    attend: (queries, keys, values) => {
      const blocks = ends.map((end, i) => {
        const q = slice(queries, 2, i * block * perToken, end * perToken); // [B, G, Tb·R, D]
        const scores = masked(scaledScores(q, slice(keys, 2, 0, end), config), masks[i] as Value); // [B, G, Tb·R, end]
        return softmaxWeighted(scores, slice(values, 2, 0, end));
      });
      return joinHeads(concat(blocks, 2), length, config);
    },
  };
}

function fusedAttention(
  { headDim }: DecoderConfig,
  { batch, length, precision = "float32" }: CausalOptions,
): Attention {
  const { compute, reduce } = precisions[precision];
  return {
    split: (x, heads) => cast(reshape(x, [batch, length, heads, headDim]), compute),
    attend: (queries, keys, values) => cast(causalAttention(queries, keys, values, 1 / Math.sqrt(headDim)), reduce),
  };
}

/** `[end − start, end]`: token start + i sees positions 0 … start + i. */
export function causalMask(start: number, end: number): Tensor<"float32"> {
  const data = new Float32Array((end - start) * end);
  for (let i = 0; i < end - start; i++) data.fill(Number.NEGATIVE_INFINITY, i * end + start + i + 1, (i + 1) * end);
  return { dtype: "float32", shape: [end - start, end], data };
}
