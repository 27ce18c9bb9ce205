// In what numbers a model is computed. Parameters, sums, norms, softmax statistics and losses are float32 always; what
// differs is what matrices are multiplied in.

/** What matrices are multiplied in; products add up in float32. */
export const precisions = ["float32", "bfloat16"] as const;

/** One of them. */
export type Precision = (typeof precisions)[number];
