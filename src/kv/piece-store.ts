// The KvStore of serving with 8-bit keys and values: many sequences at once, whose blocks are read in place. Every new token
// attends to pieces of its text (see piece-attention.ts): blocks that it alone reads, blocks that several tokens of this
// step read, pieces that are computed in this step, and itself, whose key and value are not rounded any further. Knows
// nothing of requests; which token reads what are graph inputs.

import { type Dim, times } from "../graph/dim.ts";
import { add, cast, concat, gather, max, mul, reshape, transpose } from "../graph/ops.ts";
import { constant, float, input } from "../graph/trace.ts";
import type { Value } from "../graph/value.ts";
import type { DecoderConfig } from "../model/config.ts";
import { type IntegerRows, type Rounding, signedRows } from "../model/integer-rows.ts";
import { Written } from "../model/kv.ts";
import { ownedBy, type Source } from "../model/sharing.ts";
import { rowsOfTokens, tokensOfPieces, tokensOfRows, turnedTo } from "./head-rows.ts";
import type { ServingStore } from "./kv-memory.ts";
import { type QuantizedRows, quantizeRows } from "./kv-quantization.ts";
import { inputsOf, type PieceInput, type PoolArray, pieceInputs, poolArrays } from "./paged-inputs.ts";
import { type Attended, attendPieces, attendSelf, mergePieces, type Pieces } from "./piece-attention.ts";

/** How a graph of pieces is made. */
export interface PieceOptions {
  /** Tokens of a block, positions of a piece. */
  readonly blockSize: number;
  readonly rounding: Rounding;
}

/** Attention of N new tokens over paged 8-bit keys and values. Adds the inputs of `pieceInputs` and the owners' pools. */
export function pieceStore(config: DecoderConfig, { blockSize, rounding }: PieceOptions): ServingStore {
  const { heads, kvHeads, headDim } = config;
  const repeat = heads / kvHeads;
  const step: Record<PieceInput, Value> = inputsOf(pieceInputs(config, blockSize));
  const chunkMask = gather(step["chunk.masks"], step["chunk.kinds"]); // [U, 1, T·R, S]

  const shape = [kvHeads, repeat, 1];
  const ones = add(
    max(step["pieces.mask"], [-1], true), // 0: a token merges a piece at least, itself
    constant({ dtype: "float32", shape, data: new Float32Array(heads).fill(1) }),
  ); // [N, G, R, 1]

  const outputs: Record<string, Value> = {};
  const written = { keys: new Written<QuantizedRows>("keys"), values: new Written<QuantizedRows>("values") };
  const arraysOf = (source: Source) => poolArrays(source, config, { dtype: "int8", blockSize });

  /** The arrays of a pool as they are read. */
  const pool = (source: Source, count: Dim, name: (array: PoolArray) => string) => {
    const { keys, values, scales } = arraysOf(source);
    const read = (array: PoolArray) => input(name(array), array.dtype, [count, ...array.block]);
    return { keys: read(keys), values: read(values), scales: { keys: read(scales.keys), values: read(scales.values) } };
  };
  const kept = (side: keyof Source, owner: number, x: Value): QuantizedRows => {
    const arrays = arraysOf(ownedBy(owner));
    const rows = quantizeRows(x, kvHeads, headDim);
    Object.assign(outputs, { [arrays[side].rows]: rows.codes, [arrays.scales[side].rows]: rows.scales });
    return rows;
  };
  const steps = (scales: Value) => cast(scales, "float32");
  /** Gathered blocks `[B, c, G, a, S]` with their positions in one row, `[B, G, a, c·S]`. */
  const joined = (x: Value): Value => {
    const flat = [x.shape[0] as Dim, kvHeads, x.shape[3] as Dim, times("c", blockSize)];
    return reshape(transpose(x, [0, 2, 3, 1, 4]), flat);
  };

  return {
    outputs,
    rotate: (x) => turnedTo(x, step.positions, step["rope.cos"], step["rope.sin"]),
    writeKeys: (owner, keys) => written.keys.set(owner, kept("keys", owner, keys)),
    writeValues: (owner, values) => written.values.set(owner, kept("values", owner, values)),
    attend: (source, flat) => {
      const fresh = { keys: written.keys.of(source.keys), values: written.values.of(source.values) };
      const queries = reshape(flat, ["N", kvHeads, repeat, headDim]);
      const rounded = signedRows(mul(queries, float(1 / Math.sqrt(headDim))), rounding);
      const chosen = (choose: (x: Value) => Value): IntegerRows => {
        return { codes: choose(rounded.codes), scales: choose(rounded.scales), zero: rounded.zero };
      };

      // Blocks of one token: [A, G, R, …].
      const front = pool(source, "A", (array) => array.front);
      const own: Pieces = {
        ...front,
        scales: { keys: steps(front.scales.keys), values: steps(front.scales.values) },
      };
      const alone = chosen((x) => gather(x, step["own.token"]));

      // Blocks of several: [B, G, c, M·R, …].
      const whole = pool(source, "places", (array) => array.whole);
      const placed = (x: Value) => gather(x, step["party.places"]);
      const shared: Pieces = {
        count: "c",
        keys: joined(placed(whole.keys)),
        values: transpose(placed(whole.values), [0, 2, 1, 3, 4]),
        scales: { keys: joined(steps(placed(whole.scales.keys))), values: joined(steps(placed(whole.scales.values))) },
      };
      const together = chosen((x) => rowsOfTokens(gather(x, step["party.tokens"])));

      // Pieces of this step: [U, G, T·R, …].
      const inPiece = (x: Value) => {
        const tokens = reshape(x, ["N", kvHeads, 1, x.shape.at(-1) as number]);
        return rowsOfTokens(gather(tokens, step["chunk.keys"])); // [U, G, S, …]
      };
      const turned = (x: Value) => transpose(x, [0, 1, 3, 2]);
      const recent: Pieces = {
        keys: turned(inPiece(fresh.keys.codes)),
        values: inPiece(fresh.values.codes),
        scales: {
          keys: steps(turned(inPiece(fresh.keys.scales))),
          values: steps(turned(inPiece(fresh.values.scales))),
        },
      };
      const inChunk = chosen((x) => rowsOfTokens(gather(x, step["chunk.queries"])));

      const restored = ({ restored }: QuantizedRows) => reshape(restored, ["N", kvHeads, 1, headDim]);
      const byToken = ({ sums, weights }: Attended, of: (x: Value) => Value) => ({
        sums: of(sums),
        weights: of(weights),
      });
      const parts = [
        attendPieces(alone, own, rounding, step["own.mask"]),
        byToken(attendPieces(together, shared, rounding), (x) => tokensOfPieces(x, "M", repeat)),
        attendSelf(queries, restored(fresh.keys), restored(fresh.values), ones),
        byToken(attendPieces(inChunk, recent, rounding, chunkMask), (x) => tokensOfRows(x, "T", repeat)),
      ];
      const rows = (of: (attended: Attended) => Value) => concat(parts.map(of), 0, "rows"); // [rows, G, R, …]
      const attended = { sums: rows(({ sums }) => sums), weights: rows(({ weights }) => weights) };
      return mergePieces(attended, step.pieces, step["pieces.mask"], config);
    },
  };
}
