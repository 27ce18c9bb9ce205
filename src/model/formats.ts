// How numbers are kept, a row a format. Bytes, types, choices and the engine's packing follow from these rows. `usesOf`
// says which parameters are rounded; `kv/` writes and reads keys and values.

import { quantizedBlock } from "../graph/ops.ts";
import { bytesPer } from "../tensor/dtype.ts";
import { sizeOf } from "../tensor/tensor.ts";

/** How weights are kept. */
interface WeightRow {
  readonly bits: number;
  /**
   * How matrices are whole numbers: a float32 scale for each block of a row, or for each row. Only what rows are multiplied
   * by is kept so, all else stays float32. Floating point, false, holds every parameter.
   */
  readonly rounded: "blocks" | "rows" | false;
  /** Whether the engine runs it; others are planned with alone. */
  readonly runs: boolean;
}

/** Formats of weights. */
export const weightFormats = {
  float32: { bits: 32, rounded: false, runs: true },
  float16: { bits: 16, rounded: false, runs: false },
  int8: { bits: 8, rounded: "blocks", runs: true },
  int4: { bits: 4, rounded: "blocks", runs: true },
  w8a8: { bits: 8, rounded: "rows", runs: true }, // what meets it is rounded to 8 bits a row, too
} as const satisfies Readonly<Record<string, WeightRow>>;

/** How keys and values are kept: bytes of an element, and beside the elements of a token and head. */
interface KvRow {
  readonly element: number;
  readonly row: number;
  /** Whether the engine runs it; others are planned with alone. */
  readonly runs: boolean;
}

/** Formats of keys and values. */
export const kvFormats = {
  float32: { element: 4, row: 0, runs: true },
  float16: { element: 2, row: 0, runs: false },
  int8: { element: 1, row: 2, runs: true }, // a float16 scale
} as const satisfies Readonly<Record<string, KvRow>>;

type Having<Rows, Property> = { [Name in keyof Rows]: Rows[Name] extends Property ? Name : never }[keyof Rows];

/** Any format of weights. */
export type WeightFormat = keyof typeof weightFormats;

/** What the engine keeps weights in. */
export type WeightDtype = Having<typeof weightFormats, { runs: true }>;

/** What a matrix can be rounded to. */
export type QuantizedDtype = Having<typeof weightFormats, { rounded: "blocks" | "rows" }>;

/** What a matrix can be rounded to in blocks of its rows. */
export type BlockDtype = Having<typeof weightFormats, { rounded: "blocks" }>;

/** Any format of keys and values. */
export type KvFormat = keyof typeof kvFormats;

/** What the engine keeps keys and values in. */
export type KvDtype = Having<typeof kvFormats, { runs: true }>;

/** The engine's choices for weights and for keys and values. */
export const weightDtypes = running(weightFormats) as readonly WeightDtype[];
export const kvDtypes = running(kvFormats) as readonly KvDtype[];

function running(rows: Readonly<Record<string, { readonly runs: boolean }>>): string[] {
  return Object.entries(rows).flatMap(([name, { runs }]) => (runs ? [name] : []));
}

/** Whether a format rounds matrices to whole numbers. */
export function isRounded(format: WeightFormat): format is QuantizedDtype {
  return weightFormats[format].rounded !== false;
}

/** Whether whole numbers have a scale for each block of a row. */
export function isInBlocks(format: QuantizedDtype): format is BlockDtype {
  return weightFormats[format].rounded === "blocks";
}

/**
 * The shapes of what a matrix [out, in] is rounded to in blocks: for each row ⌈in / 32⌉, the last one filled up, of bytes
 * that hold one number of 8 bits or two of 4; and a float32 scale for each block. There is no zero point.
 */
export function blockShapes([outputs, inputs]: readonly number[], format: BlockDtype) {
  const scales = [outputs as number, Math.ceil((inputs as number) / quantizedBlock)] as const;
  return { codes: [...scales, (quantizedBlock * weightFormats[format].bits) / 8] as const, scales };
}

/** Bytes of a tensor of this shape that a format rounds. */
export function roundedBytes(shape: readonly number[], format: QuantizedDtype): number {
  if (!isInBlocks(format)) return sizeOf(shape) + bytesPer.float32 * (shape[0] as number);
  const { codes, scales } = blockShapes(shape, format);
  return sizeOf(codes) + bytesPer.float32 * sizeOf(scales);
}

/** Bytes of a tensor of this shape that a format leaves floating point. */
export function plainBytes(shape: readonly number[], format: WeightFormat): number {
  const { bits, rounded } = weightFormats[format];
  return sizeOf(shape) * (rounded ? bytesPer.float32 : bits / 8);
}
