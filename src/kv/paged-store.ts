// The KvStore of serving: many sequences at once, their keys and values in blocks of the owners' pools, which are read in
// place. Every new token attends to four kinds of positions, each a part (see partial-attention.ts): blocks that it alone
// reads, blocks that several tokens of this step read, itself, and the tokens before it in the same chunk of a prompt.
// Knows nothing of requests; which token reads which block are graph inputs.

import { type Dim, times } from "../graph/dim.ts";
import { cast, concat, gather, matmul, mul, reshape, rotary, transpose } from "../graph/ops.ts";
import { constant, float, input } from "../graph/trace.ts";
import type { Value } from "../graph/value.ts";
import type { ModelConfig } from "../model/config.ts";
import type { KvStore } from "../model/kv.ts";
import { type QuantizedRows, quantizeRows, type Rounding, signedRows } from "./kv-quantization.ts";
import { integerPartOf, mergeParts, type Part, type Positions, partOf } from "./partial-attention.ts";

/** How keys and values are kept. */
export type KvDtype = "float32" | "int8";

/** How a paged graph is made. */
export interface PagedOptions {
  readonly kvDtype: KvDtype;
  /** Tokens of a block. */
  readonly blockSize: number;
  readonly rounding?: Rounding;
}

/** The graph's names for an owner's rows: pools are inputs, new rows outputs. */
export const poolNames = (owner: number) => ({
  keys: `kv.${owner}.k`,
  values: `kv.${owner}.v`,
  keyScales: `kv.${owner}.k.scales`,
  valueScales: `kv.${owner}.v.scales`,
});

/** The name by which the whole pool is fed, beside the first blocks of it. */
export const wholePool = (name: string) => `${name}.all`;

/** A serving store and what it adds to the graph. */
export interface PagedStore extends KvStore {
  /** New rows by pool name: `[N, G·D]` float32, or `[N, G, D]` int8 with float16 scales `[N, G, 1]`. */
  readonly written: Record<string, Value>;
}

/**
 * Attention of N new tokens over paged keys and values. Adds these inputs (int32 unless said):
 * - `positions [1, N]` (int64), `rope.cos` and `rope.sin [S, D/2]`;
 * - `own.token [A]`, `own.mask [A, 1, 1, block]`: block i of the pool is read by token own.token[i] and no other;
 * - `group.tokens [B, M]`, `group.blocks [B, c]`, `group.mask [B, 1, 1, c·block]`: tokens that read the same blocks;
 * - `single.tokens [E]`: tokens that are alone in their sequence in this step;
 * - `chunk.tokens [U, T]`, `chunk.mask [T·R, T]`: runs of tokens of one sequence each, which attend causally;
 * - `parts [N, P]`, `parts.mask [N, 1, 1, P]`: which rows of the parts, counted in the order of this list, a token merges;
 * - for each owner its pools: keys `[A, G, D, block]`, values `[A, G, block, D]`, and the same `[slots, …]` as `….all`;
 *   of 8-bit pools also float16 scales `[…, G, 1, block]`.
 */
export function pagedStore(config: ModelConfig, { kvDtype, blockSize, rounding = "full" }: PagedOptions): PagedStore {
  const { heads, kvHeads, headDim } = config;
  const repeat = heads / kvHeads;
  const positions = input("positions", "int64", [1, "N"]);
  const [cos, sin] = ["cos", "sin"].map((name) => input(`rope.${name}`, "float32", ["S", headDim / 2])) as [
    Value,
    Value,
  ];
  const ownToken = input("own.token", "int32", ["A"]);
  const ownMask = input("own.mask", "float32", ["A", 1, 1, blockSize]);
  const groupTokens = input("group.tokens", "int32", ["B", "M"]);
  const groupBlocks = input("group.blocks", "int32", ["B", "c"]);
  const groupMask = input("group.mask", "float32", ["B", 1, 1, times("c", blockSize)]);
  const singleTokens = input("single.tokens", "int32", ["E"]);
  const chunkTokens = input("chunk.tokens", "int32", ["U", "T"]);
  const chunkMask = input("chunk.mask", "float32", [times("T", repeat), "T"]);
  const parts = input("parts", "int32", ["N", "P"]);
  const partsMask = input("parts.mask", "float32", ["N", 1, 1, "P"]);

  const repeated = constant({ dtype: "float32", shape: [repeat, 1], data: new Float32Array(repeat).fill(1) });

  const written: Record<string, Value> = {};
  const fresh = new Map<number, { keys: Value; values: Value }>(); // [N, G, 1, D], as everybody attends to them

  /** Tokens `[X, M, G, R, W]` as the rows of one product for each X and G: `[X, G, M·R, W]`. */
  const rows = (x: Value): Value => {
    const [outer, inner, , perGroup, width] = x.shape as [Dim, Dim, number, number, number];
    const turned = kvHeads === 1 ? x : transpose(x, [0, 2, 1, 3, 4]);
    return reshape(turned, [outer, kvHeads, times(inner, perGroup), width]);
  };
  /** Rows `[X, G, M·R, W]` as tokens again, `[X·M, G, R, W]`. */
  const tokensOf = (x: Value, inner: Dim): Value => {
    const [outer, , , width] = x.shape as [Dim, Dim, Dim, number];
    const shape = [times(outer, inner), kvHeads, repeat, width];
    if (kvHeads === 1) return reshape(x, shape);
    return reshape(transpose(reshape(x, [outer, kvHeads, inner, repeat, width]), [0, 2, 1, 3, 4]), shape);
  };
  /** Gathered blocks `[B, c, G, a, b]` as one run of positions, along their last axis or the one before it. */
  const joinBlocks = (x: Value, last: boolean): Value => {
    const [, , , a, b] = x.shape as [Dim, Dim, Dim, number, number];
    const flat = times("c", blockSize);
    if (last) return reshape(transpose(x, [0, 2, 3, 1, 4]), ["B", kvHeads, a, flat]);
    return reshape(kvHeads === 1 ? x : transpose(x, [0, 2, 1, 3, 4]), ["B", kvHeads, flat, b]);
  };

  const pool = (owner: number, count: Dim, suffix: (name: string) => string): Positions => {
    const names = poolNames(owner);
    const keys = input(suffix(names.keys), kvDtype, [count, kvHeads, headDim, blockSize]);
    const values = input(suffix(names.values), kvDtype, [count, kvHeads, blockSize, headDim]);
    if (kvDtype === "float32") return { keys, values };
    const scales = (name: string) => input(suffix(name), "float16", [count, kvHeads, 1, blockSize]);
    return { keys, values, scales: { keys: scales(names.keyScales), values: scales(names.valueScales) } };
  };

  /** Attention of queries `[N, G, R, D]`, of which `choose` takes and arranges some, to pooled positions. */
  const pooledPart = (queries: Value, choose: (x: Value) => Value, stored: Positions, mask: Value): Part => {
    if (!stored.scales) return partOf(choose(queries), stored, mask, config);
    const { codes, scales, zero } = signedRows(mul(queries, float(1 / Math.sqrt(headDim))), rounding);
    const steps = { keys: cast(stored.scales.keys, "float32"), values: cast(stored.scales.values, "float32") };
    const chosen = { codes: choose(codes), scales: choose(scales), zero };
    return integerPartOf(chosen, { ...stored, scales: steps }, mask, rounding);
  };

  return {
    written,
    rotate: (x) => {
      const width = x.shape.at(-1) as number;
      return reshape(rotary(reshape(x, [1, "N", width]), positions, cos, sin), x.shape);
    },
    write: (owner, keys, values) => {
      const names = poolNames(owner);
      const heads = (x: Value) => reshape(x, ["N", kvHeads, 1, headDim]);
      if (kvDtype === "float32") {
        Object.assign(written, { [names.keys]: keys, [names.values]: values });
        fresh.set(owner, { keys: heads(keys), values: heads(values) });
        return;
      }
      const [k, v] = [keys, values].map((x) => quantizeRows(x, kvHeads, headDim)) as [QuantizedRows, QuantizedRows];
      Object.assign(written, { [names.keys]: k.codes, [names.values]: v.codes });
      Object.assign(written, { [names.keyScales]: k.scales, [names.valueScales]: v.scales });
      fresh.set(owner, { keys: heads(k.restored), values: heads(v.restored) });
    },
    attend: (owner, flat) => {
      const own = fresh.get(owner);
      if (!own) throw new TypeError(`attend: layer ${owner} has written no keys and values`);
      const queries = reshape(flat, ["N", kvHeads, repeat, headDim]);

      const front = pool(owner, "A", (name) => name);
      const ownPart = pooledPart(queries, (x) => gather(x, ownToken), front, ownMask); // [A, G, R, …]

      const all = pool(owner, "slots", wholePool);
      const at = (x: Value) => gather(x, groupBlocks);
      const joined: Positions = {
        keys: joinBlocks(at(all.keys), true),
        values: joinBlocks(at(all.values), false),
        ...(all.scales && {
          scales: { keys: joinBlocks(at(all.scales.keys), true), values: joinBlocks(at(all.scales.values), true) },
        }),
      };
      const groupPart = pooledPart(queries, (x) => rows(gather(x, groupTokens)), joined, groupMask); // [B, G, M·R, …]

      const alone = (x: Value) => gather(x, singleTokens);
      const singlePart: Part = {
        // Of one position: its score, and its values for each of the heads.
        logSum: matmul(alone(queries), alone(own.keys), { transB: true, alpha: 1 / Math.sqrt(headDim) }), // [E, G, R, 1]
        mean: mul(alone(own.values), repeated),
      };

      const inChunk = (x: Value) => rows(gather(x, chunkTokens));
      const chunk: Positions = { keys: transpose(inChunk(own.keys), [0, 1, 3, 2]), values: inChunk(own.values) };
      const chunkPart = partOf(inChunk(queries), chunk, chunkMask, config); // [U, G, T·R, …]

      const join = (of: (part: Part) => Value) => {
        const [group, chunk] = [tokensOf(of(groupPart), "M"), tokensOf(of(chunkPart), "T")];
        return concat([of(ownPart), group, of(singlePart), chunk], 0, "rows"); // [rows, G, R, …]
      };
      const logSums = reshape(
        join(({ logSum }) => logSum),
        [times("rows", heads)],
      );
      const means = reshape(
        join(({ mean }) => mean),
        [times("rows", heads), headDim],
      );
      return mergeParts(logSums, means, parts, partsMask, config);
    },
  };
}
