// How well a model predicts: log-likelihoods of given tokens, and their mean as the training loss.

import { add, concat, logSumExp, max, mul, pick, slice, softmax, sub, sum } from "../graph/ops.ts";
import { float } from "../graph/trace.ts";
import type { Value } from "../graph/value.ts";
import type { ModelConfig } from "./config.ts";
import type { Weights } from "./layers.ts";
import { logits } from "./transformer.ts";

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
  logitElements = Number.POSITIVE_INFINITY,
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
  logitElements = Number.POSITIVE_INFINITY,
): Value {
  const total = pieces(config, weights, { hidden, labels, logitElements })
    .map(({ score }) => sum(score, [0]))
    .reduce((a, b) => add(a, b));
  return mul(total, float(-1 / (labels.shape[0] as number)));
}

/** What a teacher predicts after the same tokens, and how much of the loss is to agree with it. */
export interface Taught {
  readonly config: ModelConfig;
  readonly weights: Weights;
  /** `[N, C]` of the teacher. */
  readonly hidden: Value;
  /** From 0, the labels alone, to 1, the teacher alone. */
  readonly share: number;
}

/**
 * (1 − share) · crossEntropy + share · mean of −Σ p·log q, where p is the teacher's prediction and q the model's: a scalar
 * in nats (arXiv 1503.02531 at temperature 1). Both have one vocabulary.
 */
export function distillationLoss(
  config: ModelConfig,
  weights: Weights,
  hidden: Value,
  labels: Value,
  { share, ...teacher }: Taught,
  logitElements = Number.POSITIVE_INFINITY,
): Value {
  const rows = labels.shape[0] as number;
  const total = rowPieces(config, rows, logitElements / 2) // two models' logits are there at once
    .map(([start, end]) => {
      const piece = (of: Value) => slice(of, 0, start, end);
      const scores = logits(config, weights, piece(hidden));
      const taught = softmax(logits(teacher.config, teacher.weights, piece(teacher.hidden)));
      const expected = sum(mul(taught, scores), [1]);
      const wanted = add(mul(pick(scores, piece(labels)), float(1 - share)), mul(expected, float(share)));
      return sum(sub(wanted, logSumExp(scores)), [0]);
    })
    .reduce((a, b) => add(a, b));
  return mul(total, float(-1 / rows));
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
  return rowPieces(config, rows, logitElements).map(([start, end]) => {
    const scores = logits(config, weights, slice(hidden, 0, start, end));
    const norm = logSumExp(scores); // not log(softmax): that underflows
    return { logits: scores, norm, score: sub(pick(scores, slice(labels, 0, start, end)), norm) };
  });
}

/** Ranges of `rows`, as even as can be, so that no piece has more logits than asked but for rounding. */
export function rowPieces({ vocab }: ModelConfig, rows: number, logitElements: number): [start: number, end: number][] {
  const size = Math.ceil(rows / Math.max(1, Math.ceil((rows * vocab) / logitElements)));
  return Array.from({ length: Math.ceil(rows / size) }, (_, i) => [i * size, Math.min(rows, (i + 1) * size)]);
}
