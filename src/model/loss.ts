// How well a model predicts: log-likelihoods of given tokens, and their mean as the training loss.

import { add, concat, logSumExp, mul, pick, slice, sub, sum } from "../graph/ops.ts";
import { float } from "../graph/trace.ts";
import type { Value } from "../graph/value.ts";
import type { ModelConfig } from "./config.ts";
import type { Weights } from "./layers.ts";
import { logits } from "./transformer.ts";

/** Logits of more elements than this are computed and forgotten in pieces, unless a device is better with others. */
const defaultElements = 4 << 20;

/** log p(label) of each row, in nats: `[N, C]` and `labels [N]` (int32) give `[N]`. */
export function logLikelihoods(
  config: ModelConfig,
  weights: Weights,
  hidden: Value,
  labels: Value,
  logitElements = defaultElements,
): Value {
  return concat(pieces(config, weights, { hidden, labels, logitElements }), 0);
}

/** The mean of −log p(label), a scalar in nats. */
export function crossEntropy(
  config: ModelConfig,
  weights: Weights,
  hidden: Value,
  labels: Value,
  logitElements = defaultElements,
): Value {
  const total = pieces(config, weights, { hidden, labels, logitElements })
    .map((piece) => sum(piece, [0]))
    .reduce((a, b) => add(a, b));
  return mul(total, float(-1 / (labels.shape[0] as number)));
}

interface Scored {
  readonly hidden: Value;
  readonly labels: Value;
  readonly logitElements: number;
}

function pieces(config: ModelConfig, weights: Weights, { hidden, labels, logitElements }: Scored): Value[] {
  const rows = hidden.shape[0] as number;
  const count = Math.ceil((rows * config.vocab) / logitElements);
  const size = Math.ceil(rows / count);
  return Array.from({ length: Math.ceil(rows / size) }, (_, i) => {
    const [start, end] = [i * size, Math.min(rows, (i + 1) * size)];
    const scores = logits(config, weights, slice(hidden, 0, start, end));
    return sub(pick(scores, slice(labels, 0, start, end)), logSumExp(scores)); // not log(softmax): that underflows
  });
}
