// The names of everything that passes between the paged graph and the memory that feeds it: inputs that say which token
// reads what, the arrays of the owners' pools, and the new rows that go into them.

import { times } from "../graph/dim.ts";
import { input } from "../graph/trace.ts";
import type { Type, Value } from "../graph/value.ts";
import type { HeadSizes } from "../model/attention.ts";
import type { KvDtype } from "../model/formats.ts";
import type { Source } from "../model/sharing.ts";
import type { DType } from "../tensor/dtype.ts";

/**
 * The inputs of a step of N tokens beside the pools. Each token attends to parts of positions: A blocks at the pools'
 * front that one token each reads, B parties of M tokens that read the same c blocks, E tokens that are alone in their
 * span, and U chunks of T tokens, which attend causally. P parts at most are merged into a token's attention.
 */
export function stepInputs({ heads, kvHeads, headDim }: HeadSizes, blockSize: number) {
  return {
    positions: { dtype: "int64", shape: [1, "N"] },
    "rope.cos": { dtype: "float32", shape: ["S", headDim / 2] },
    "rope.sin": { dtype: "float32", shape: ["S", headDim / 2] },
    /** The token that reads the block at each place of the front. */
    "own.token": { dtype: "int32", shape: ["A"] },
    "own.mask": { dtype: "float32", shape: ["A", 1, 1, blockSize] },
    "party.tokens": { dtype: "int32", shape: ["B", "M"] },
    /** Where the blocks lie that a party reads. */
    "party.places": { dtype: "int32", shape: ["B", "c"] },
    "party.mask": { dtype: "float32", shape: ["B", 1, 1, times("c", blockSize)] },
    "single.tokens": { dtype: "int32", shape: ["E"] },
    "chunk.tokens": { dtype: "int32", shape: ["U", "T"] },
    "chunk.mask": { dtype: "float32", shape: [times("T", heads / kvHeads), "T"] },
    /** Which rows of the parts, counted in the order of this list, a token merges. */
    parts: { dtype: "int32", shape: ["N", "P"] },
    "parts.mask": { dtype: "float32", shape: ["N", 1, 1, "P"] },
  } satisfies Record<string, Type>;
}

/** The name of an input of a step. */
export type StepInput = keyof ReturnType<typeof stepInputs>;

/**
 * The inputs of a step of N tokens over 8-bit keys and values, beside the pools. Each token attends to pieces of S
 * positions, S the size of a block: A blocks at the pools' front that one token each reads, B parties of M tokens that
 * read the same c blocks, and U pairs of T new tokens with a piece that is new itself. P pieces at most are merged into a
 * token's attention, the token itself among them.
 */
export function pieceInputs({ heads, kvHeads, headDim }: HeadSizes, blockSize: number) {
  const turns = {
    positions: { dtype: "int64", shape: [1, "N"] },
    "rope.cos": { dtype: "float32", shape: ["S", headDim / 2] },
    "rope.sin": { dtype: "float32", shape: ["S", headDim / 2] },
  } satisfies Record<string, Type>;
  return {
    ...turns,
    /** The token that reads the block at each place of the front. */
    "own.token": { dtype: "int32", shape: ["A"] },
    "own.mask": { dtype: "float32", shape: ["A", 1, 1, blockSize] },
    "party.tokens": { dtype: "int32", shape: ["B", "M"] },
    /** Where the blocks lie that a party reads. */
    "party.places": { dtype: "int32", shape: ["B", "c"] },
    "chunk.queries": { dtype: "int32", shape: ["U", "T"] },
    "chunk.keys": { dtype: "int32", shape: ["U", blockSize] },
    /** Whether the queries come after all keys (0) or are the keys' own tokens, which see those before them (1). */
    "chunk.kinds": { dtype: "int32", shape: ["U"] },
    "chunk.masks": { dtype: "float32", shape: [2, 1, times("T", heads / kvHeads), blockSize] },
    /** Which rows that the pieces gave, counted in the order own, party, the tokens themselves, chunk, a token merges. */
    pieces: { dtype: "int32", shape: ["N", "P"] },
    "pieces.mask": { dtype: "float32", shape: ["N", 1, 1, "P"] },
  } satisfies Record<string, Type>;
}

/** The name of an input of a step over 8-bit keys and values. */
export type PieceInput = keyof ReturnType<typeof pieceInputs>;

/** Declares inputs. */
export function inputsOf<Name extends string>(types: Readonly<Record<Name, Type>>): Record<Name, Value> {
  const entries = Object.entries<Type>(types).map(([name, { dtype, shape }]) => [name, input(name, dtype, shape)]);
  return Object.fromEntries(entries) as Record<Name, Value>;
}

/** An array of an owner's pool, `[places, ...block]`, and its names in the graph. */
export interface PoolArray {
  /** The input of the blocks at the pool's front, `[A, ...block]`. */
  readonly front: string;
  /** The input of the whole pool, `[places, ...block]`. */
  readonly whole: string;
  /** The output of new rows: `[N, G·D]` float32, or `[N, G, D]` int8 with float16 scales `[N, G, 1]`. */
  readonly rows: string;
  readonly dtype: DType;
  readonly block: readonly [heads: number, number, number];
  /** Positions are a block's last axis (keys, scales) or the one before it (values). */
  readonly positionsLast: boolean;
}

/** The arrays that hold the keys of one owner and the values of one. */
export interface PoolArrays {
  readonly keys: PoolArray;
  readonly values: PoolArray;
  /** Of 8-bit rows. */
  readonly scales?: { readonly keys: PoolArray; readonly values: PoolArray };
}

/** What pools are made by. */
interface PoolSizes {
  readonly dtype: KvDtype;
  readonly blockSize: number;
}

/** What a pool is made of: keys `[G, D, block]` and values `[G, block, D]` of a block, scales `[G, 1, block]`. */
export function poolArrays(
  source: Source,
  heads: Pick<HeadSizes, "kvHeads" | "headDim">,
  sizes: PoolSizes & { readonly dtype: "int8" },
): Required<PoolArrays>;
export function poolArrays(source: Source, heads: Pick<HeadSizes, "kvHeads" | "headDim">, sizes: PoolSizes): PoolArrays;
export function poolArrays(
  source: Source,
  { kvHeads, headDim }: Pick<HeadSizes, "kvHeads" | "headDim">,
  { dtype, blockSize }: PoolSizes,
): PoolArrays {
  const array = (name: string, type: DType, block: PoolArray["block"], positionsLast = true): PoolArray => {
    const [front, whole, rows] = [`kv.${name}`, `kv.${name}.all`, `rows.${name}`];
    return { front, whole, rows, dtype: type, block, positionsLast };
  };
  const [ofKeys, ofValues] = [`${source.keys}.k`, `${source.values}.v`];
  const keys = array(ofKeys, dtype, [kvHeads, headDim, blockSize]);
  const values = array(ofValues, dtype, [kvHeads, blockSize, headDim], false);
  if (dtype === "float32") return { keys, values };
  const scales = (name: string) => array(`${name}.scales`, "float16", [kvHeads, 1, blockSize]);
  return { keys, values, scales: { keys: scales(ofKeys), values: scales(ofValues) } };
}
