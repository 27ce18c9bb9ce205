// The KvStore of serving with float32 keys and values: many sequences at once, whose blocks in the owners' pools are read in
// place. Every new token attends to four kinds of positions, each a part (see partial-attention.ts): blocks that it alone
// reads, blocks that several tokens of this step read, itself, and the tokens before it in the same chunk of a prompt.
// Knows nothing of requests; which token reads which block are graph inputs.

import { type Dim, times } from "../graph/dim.ts";
import { concat, gather, matmul, mul, reshape, transpose } from "../graph/ops.ts";
import { constant, input } from "../graph/trace.ts";
import type { Value } from "../graph/value.ts";
import type { DecoderConfig } from "../model/config.ts";
import { Written } from "../model/kv.ts";
import { ownedBy, type Source } from "../model/sharing.ts";
import { rowsOfTokens, tokensOfRows, turnedTo } from "./head-rows.ts";
import type { ServingStore } from "./kv-memory.ts";
import { inputsOf, type PoolArray, poolArrays, type StepInput, stepInputs } from "./paged-inputs.ts";
import { mergeParts, type Part, type Positions, partOf } from "./partial-attention.ts";

/** Attention of N new tokens over paged keys and values. Adds the inputs of `stepInputs` and, of each owner, its pools. */
export function pagedStore(config: DecoderConfig, blockSize: number): ServingStore {
  const { heads, kvHeads, headDim } = config;
  const repeat = heads / kvHeads;
  const step: Record<StepInput, Value> = inputsOf(stepInputs(config, blockSize));

  const repeated = constant({ dtype: "float32", shape: [repeat, 1], data: new Float32Array(repeat).fill(1) });

  const outputs: Record<string, Value> = {};
  const fresh = { keys: new Written<Value>("keys"), values: new Written<Value>("values") }; // [N, G, 1, D]
  const perHead = (x: Value) => reshape(x, ["N", kvHeads, 1, headDim]);

  /** Gathered blocks `[B, c, G, a, b]` as one run of positions, along their last axis or the one before it. */
  const joinBlocks = (x: Value, last: boolean): Value => {
    const [, , , a, b] = x.shape as [Dim, Dim, Dim, number, number];
    const flat = times("c", blockSize);
    if (last) return reshape(transpose(x, [0, 2, 3, 1, 4]), ["B", kvHeads, a, flat]);
    return reshape(kvHeads === 1 ? x : transpose(x, [0, 2, 1, 3, 4]), ["B", kvHeads, flat, b]);
  };

  const arraysOf = (source: Source) => poolArrays(source, config, { dtype: "float32", blockSize });
  const pool = (source: Source, count: Dim, name: (array: PoolArray) => string): Positions => {
    const { keys, values } = arraysOf(source);
    const read = (array: PoolArray) => input(name(array), array.dtype, [count, ...array.block]);
    return { keys: read(keys), values: read(values) };
  };

  return {
    outputs,
    rotate: (x) => turnedTo(x, step.positions, step["rope.cos"], step["rope.sin"]),
    writeKeys: (owner, keys) => {
      outputs[arraysOf(ownedBy(owner)).keys.rows] = keys;
      fresh.keys.set(owner, perHead(keys));
    },
    writeValues: (owner, values) => {
      outputs[arraysOf(ownedBy(owner)).values.rows] = values;
      fresh.values.set(owner, perHead(values));
    },
    attend: (source, flat) => {
      const own: Positions = { keys: fresh.keys.of(source.keys), values: fresh.values.of(source.values) };
      const queries = reshape(flat, ["N", kvHeads, repeat, headDim]);

      const front = pool(source, "A", (array) => array.front);
      const ownPart = partOf(gather(queries, step["own.token"]), front, step["own.mask"], config); // [A, G, R, …]

      const whole = pool(source, "places", (array) => array.whole);
      const placed = (x: Value) => gather(x, step["party.places"]);
      const joined: Positions = {
        keys: joinBlocks(placed(whole.keys), true),
        values: joinBlocks(placed(whole.values), false),
      };
      const inParty = rowsOfTokens(gather(queries, step["party.tokens"]));
      const partyPart = partOf(inParty, joined, step["party.mask"], config); // [B, G, M·R, …]

      const alone = (x: Value) => gather(x, step["single.tokens"]);
      const singlePart: Part = {
        // Of one position: its score, and its values for each of the heads.
        logSum: matmul(alone(queries), alone(own.keys), { transB: true, alpha: 1 / Math.sqrt(headDim) }), // [E, G, R, 1]
        mean: mul(alone(own.values), repeated),
      };

      const inChunk = (x: Value) => rowsOfTokens(gather(x, step["chunk.tokens"]));
      const chunk: Positions = { keys: transpose(inChunk(own.keys), [0, 1, 3, 2]), values: inChunk(own.values) };
      const chunkPart = partOf(inChunk(queries), chunk, step["chunk.mask"], config); // [U, G, T·R, …]

      const join = (of: (part: Part) => Value) => {
        const [party, chunk] = [tokensOfRows(of(partyPart), "M", repeat), tokensOfRows(of(chunkPart), "T", repeat)];
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
