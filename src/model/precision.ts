// In what numbers a model is computed. Parameters, sums, norms, softmax statistics and losses are float32 always; what
// differs is what matrices are multiplied in.

/** What matrices are multiplied in, and what products are given as; they add up in float32. Logits are float32 always. */
export const precisions = ["float32", "bfloat16"] as const;

/** One of them. */
export type Precision = (typeof precisions)[number];
