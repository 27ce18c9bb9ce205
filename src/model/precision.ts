// The dtypes that a model is computed in, a row a precision.

import type { DType } from "../tensor/dtype.ts";

/** The dtypes of a model's graph by what they are for. */
interface PrecisionRow {
  /** Parameters, as the graph is given them. */
  readonly parameters: DType;
  /** What matrices are multiplied in, and what products are rounded to; they add up in `reduce`. */
  readonly compute: DType;
  /** The residual stream, sums, norms, softmax statistics, logits and losses. */
  readonly reduce: DType;
}

/** Every precision. */
export const precisions = {
  float32: { parameters: "float32", compute: "float32", reduce: "float32" },
  bfloat16: { parameters: "float32", compute: "bfloat16", reduce: "float32" },
} as const satisfies Readonly<Record<string, PrecisionRow>>;

/** The name of one. */
export type Precision = keyof typeof precisions;

/** Their names. */
export const precisionNames = Object.keys(precisions) as Precision[];
