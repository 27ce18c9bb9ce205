// How well a model predicts: log-likelihoods of given tokens, and their mean as the training loss.

import { add, concat, logSumExp, max, mul, pick, slice, sub, sum } from "../graph/ops.ts";
import { float } from "../graph/trace.ts";
import type { Value } from "../graph/value.ts";
import type { ModelConfig } from "./config.ts";
import type { Weights } from "./layers.ts";
import { logits } from "./transformer.ts";

/** Logits of more elements than this are computed and forgotten in pieces, unless a device is better with others. */
const defaultElements = 4 << 20;

/** What a model says of given tokens, in nats: `scores [N]` is log p(label), `best [N]` log p of the likeliest token. */
export interface LogLikelihoods {
  readonly scores: Value;
  readonly best: Value;
}

/** log p of each row's label and of its likeliest token: `[N, C]` and `labels [N]` (int32) give `[N]` each. */
export function logLikelihoods(
  config: ModelConfig,
  weights: Weights,
  hidden: Value,
  labels: Value,
  logitElements = defaultElements,
): LogLikelihoods {
  const found = pieces(config, weights, { hidden, labels, logitElements }).map(({ logits, norm, score }) => {
    return { score, best: sub(max(logits, [-1]), norm) };
  });
  return {
    scores: concat(
      found.map(({ score }) => score),
      0,
    ),
    best: concat(
      found.map(({ best }) => best),
      0,
    ),
  };
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
    .map(({ score }) => sum(score, [0]))
    .reduce((a, b) => add(a, b));
  return mul(total, float(-1 / (labels.shape[0] as number)));
}

interface Scored {
  readonly hidden: Value;
  readonly labels: Value;
  readonly logitElements: number;
}

interface Piece {
  readonly logits: Value;
  readonly norm: Value;
  /** log p(label). */
  readonly score: Value;
}

function pieces(config: ModelConfig, weights: Weights, { hidden, labels, logitElements }: Scored): Piece[] {
  const rows = hidden.shape[0] as number;
  const count = Math.ceil((rows * config.vocab) / logitElements);
  const size = Math.ceil(rows / count);
  return Array.from({ length: Math.ceil(rows / size) }, (_, i) => {
    const [start, end] = [i * size, Math.min(rows, (i + 1) * size)];
    const scores = logits(config, weights, slice(hidden, 0, start, end));
    const norm = logSumExp(scores); // not log(softmax): that underflows
    return { logits: scores, norm, score: sub(pick(scores, slice(labels, 0, start, end)), norm) };
  });
}
