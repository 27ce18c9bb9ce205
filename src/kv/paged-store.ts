// The KvStore of serving: many sequences at once, their keys and values in blocks of the owners' pools, which are read in
// place. Every new token attends to four kinds of positions, each a part (see partial-attention.ts): blocks that it alone
// reads, blocks that several tokens of this step read, itself, and the tokens before it in the same chunk of a prompt.
// Knows nothing of requests; which token reads which block are graph inputs.

import { type Dim, times } from "../graph/dim.ts";
import { cast, concat, gather, matmul, mul, reshape, rotary, transpose } from "../graph/ops.ts";
import { constant, float, input } from "../graph/trace.ts";
import type { Value } from "../graph/value.ts";
import type { ModelConfig } from "../model/config.ts";
import type { KvDtype } from "../model/formats.ts";
import type { ServingStore } from "./kv-memory.ts";
import { type QuantizedRows, quantizeRows, type Rounding, signedRows } from "./kv-quantization.ts";
import { type PoolArray, poolArrays, type StepInput, stepInputs } from "./paged-inputs.ts";
import { integerPartOf, mergeParts, type Part, type Positions, partOf } from "./partial-attention.ts";

/** How a paged graph is made. */
export interface PagedOptions {
  readonly dtype: KvDtype;
  /** Tokens of a block. */
  readonly blockSize: number;
  readonly rounding?: Rounding;
}

/** Attention of N new tokens over paged keys and values. Adds the inputs of `stepInputs` and, of each owner, its pools. */
export function pagedStore(config: ModelConfig, { dtype, blockSize, rounding = "full" }: PagedOptions): ServingStore {
  const { heads, kvHeads, headDim } = config;
  const repeat = heads / kvHeads;
  const step = Object.fromEntries(
    Object.entries(stepInputs(config, blockSize)).map(([name, { dtype, shape }]) => [name, input(name, dtype, shape)]),
  ) as Record<StepInput, Value>;

  const repeated = constant({ dtype: "float32", shape: [repeat, 1], data: new Float32Array(repeat).fill(1) });

  const outputs: Record<string, Value> = {};
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

  const pool = (owner: number, count: Dim, name: (array: PoolArray) => string): Positions => {
    const { keys, values, scales } = poolArrays(owner, config, { dtype, blockSize });
    const read = (array: PoolArray) => input(name(array), array.dtype, [count, ...array.block]);
    const codes = { keys: read(keys), values: read(values) };
    return scales ? { ...codes, scales: { keys: read(scales.keys), values: read(scales.values) } } : codes;
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
    outputs,
    rotate: (x) => {
      const width = x.shape.at(-1) as number;
      const turned = rotary(reshape(x, [1, "N", width]), step.positions, step["rope.cos"], step["rope.sin"]);
      return reshape(turned, x.shape);
    },
    write: (owner, keys, values) => {
      const arrays = poolArrays(owner, config, { dtype, blockSize });
      const heads = (x: Value) => reshape(x, ["N", kvHeads, 1, headDim]);
      if (!arrays.scales) {
        Object.assign(outputs, { [arrays.keys.rows]: keys, [arrays.values.rows]: values });
        fresh.set(owner, { keys: heads(keys), values: heads(values) });
        return;
      }
      const [k, v] = [keys, values].map((x) => quantizeRows(x, kvHeads, headDim)) as [QuantizedRows, QuantizedRows];
      Object.assign(outputs, { [arrays.keys.rows]: k.codes, [arrays.values.rows]: v.codes });
      Object.assign(outputs, { [arrays.scales.keys.rows]: k.scales, [arrays.scales.values.rows]: v.scales });
      fresh.set(owner, { keys: heads(k.restored), values: heads(v.restored) });
    },
    attend: (owner, flat) => {
      const own = fresh.get(owner);
      if (!own) throw new TypeError(`attend: layer ${owner} has written no keys and values`);
      const queries = reshape(flat, ["N", kvHeads, repeat, headDim]);

      const front = pool(owner, "A", (array) => array.front);
      const ownPart = pooledPart(queries, (x) => gather(x, step["own.token"]), front, step["own.mask"]); // [A, G, R, …]

      const whole = pool(owner, "places", (array) => array.whole);
      const placed = (x: Value) => gather(x, step["party.places"]);
      const joined: Positions = {
        keys: joinBlocks(placed(whole.keys), true),
        values: joinBlocks(placed(whole.values), false),
        ...(whole.scales && {
          scales: {
            keys: joinBlocks(placed(whole.scales.keys), true),
            values: joinBlocks(placed(whole.scales.values), true),
          },
        }),
      };
      const inParty = (x: Value) => rows(gather(x, step["party.tokens"]));
      const partyPart = pooledPart(queries, inParty, joined, step["party.mask"]); // [B, G, M·R, …]

      const alone = (x: Value) => gather(x, step["single.tokens"]);
      const singlePart: Part = {
        // Of one position: its score, and its values for each of the heads.
        logSum: matmul(alone(queries), alone(own.keys), { transB: true, alpha: 1 / Math.sqrt(headDim) }), // [E, G, R, 1]
        mean: mul(alone(own.values), repeated),
      };

      const inChunk = (x: Value) => rows(gather(x, step["chunk.tokens"]));
      const chunk: Positions = { keys: transpose(inChunk(own.keys), [0, 1, 3, 2]), values: inChunk(own.values) };
      const chunkPart = partOf(inChunk(queries), chunk, step["chunk.mask"], config); // [U, G, T·R, …]

      const join = (of: (part: Part) => Value) => {
        const [party, chunk] = [tokensOf(of(partyPart), "M"), tokensOf(of(chunkPart), "T")];
        return concat([of(ownPart), party, of(singlePart), chunk], 0, "rows"); // [rows, G, R, …]
      };
      const logSums = reshape(
        join(({ logSum }) => logSum),
        [times("rows", heads)],
      );
      const means = reshape(
        join(({ mean }) => mean),
        [times("rows", heads), headDim],
      );
      return mergeParts(logSums, means, step.parts, step["parts.mask"], config);
    },
  };
}
