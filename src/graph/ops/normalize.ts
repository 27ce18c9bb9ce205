// Operations along the last axis whose every output element depends on the whole row.

import { node, value } from "../trace.ts";
import { describe, sameShape, type Value } from "../value.ts";

/** eˣ / Σ eˣ along the last axis. */
export function softmax(x: Value): Value {
  return value("softmax", [x], {}, x);
}

/** log Σ eˣ along the last axis, which is dropped. */
export function logSumExp(x: Value): Value {
  return value("logSumExp", [x], {}, { dtype: x.dtype, shape: x.shape.slice(0, -1) });
}

/** x / rms(x) · scale along the last axis (RMSNorm, arXiv 1910.07467); `scale` is a vector. */
export function rmsNorm(x: Value, scale: Value, epsilon: number): Value {
  if (!sameShape(scale.shape, x.shape.slice(-1))) {
    throw new TypeError(`rmsNorm: scale ${describe(scale)} does not suit ${describe(x)}`);
  }
  const reciprocal = { dtype: x.dtype, shape: [...x.shape.slice(0, -1), 1] };
  return node("rmsNorm", [x, scale], { epsilon }, [x, reciprocal]).outputs[0];
}

/**
 * softmax(scores) · values, the core of attention: `[…, M, S] × […, S, D] → […, M, D]`. One operation, because its
 * gradient needs Σ p·dp per row, which equals Σ out·dout over the much shorter D (FlashAttention, arXiv 2205.14135 §B).
 */
export function softmaxWeighted(scores: Value, values: Value): Value {
  const shape = [...scores.shape.slice(0, -1), values.shape.at(-1) as number];
  return node("softmaxWeighted", [scores, values], {}, [{ dtype: scores.dtype, shape }, scores]).outputs[0];
}
