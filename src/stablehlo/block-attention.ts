// Causal attention composed of products: queries in blocks, each against the keys before its end. Scores, weights and
// sums are float32; products multiply in the operands' dtype. A block's rows are its tokens times the heads of a group.

import type { Body, DotAxes, Ref } from "./body.ts";
import type { Kept } from "./cudnn-attention.ts";

/** Tokens of a block of queries. */
const blockTokens = 256;

/** Axes are [B, T, G, R, D] of queries, [B, S, G, D] of keys and values, [B, G, T, R, S] of scores. */
const scoresOf: DotAxes = {
  batching: [
    [0, 2],
    [0, 2],
  ],
  contracting: [[4], [3]],
};
const weightedValues: DotAxes = {
  batching: [
    [0, 1],
    [0, 2],
  ],
  contracting: [[4], [1]],
};
const sumOverRows: DotAxes = {
  batching: [
    [0, 1],
    [0, 2],
  ],
  contracting: [
    [2, 3],
    [1, 3],
  ],
};

/** The output `[B, T, H, D]` and log Σ eˢ of each row, float32 `[B, H, T]`. */
export function attentionInBlocks(body: Body, [q, k, v]: readonly [Ref, Ref, Ref], scale: number): readonly [Ref, Ref] {
  const [outs, statistics]: [Ref[], Ref[]] = [[], []];
  for (const [start, end] of blocks(q)) {
    const scores = blockScores(body, q, k, start, end, scale);
    const top = body.reduce("maximum", scores, [4]);
    const powers = body.unary("exponential", body.binary("subtract", scores, overPositions(body, top, scores)));
    const sums = body.reduce("add", powers, [4]); // [B, G, T, R]
    const values = body.slice(v, 1, 0, end);
    const mixed = body.dot(body.convert(powers, v.dtype), values, weightedValues, "float32"); // [B, G, T, R, D]
    const mean = body.binary("divide", mixed, overPositions(body, sums, mixed));
    outs.push(body.convert(tokensFirst(body, mean), q.dtype));
    statistics.push(headsFirst(body, body.binary("add", top, body.unary("log", sums))));
  }
  return [body.concat(outs, 1), body.concat(statistics, 2)];
}

/**
 * The gradients of queries, keys and values. Weights are computed again, from scores that are: the barrier keeps the
 * compiler from finding those of the forward pass equal and keeping them till here.
 */
export function attentionInBlocksGrad(
  body: Body,
  [given, k, v]: readonly [Ref, Ref, Ref],
  { out, statistics, gradient }: Kept,
  scale: number,
): readonly [Ref, Ref, Ref] {
  const q = body.after(given, gradient);
  const length = q.shape[1] as number;
  const aligned = body.binary("multiply", body.convert(out, "float32"), body.convert(gradient, "float32"));
  const means = body.reduce("add", grouped(body, aligned, k), [4]); // [B, T, G, R]
  const dq: Ref[] = [];
  const whole = (part: Ref) => body.pad(part, 2, 0, length - (part.shape[2] as number));
  let [dk, dv]: (Ref | undefined)[] = [];
  for (const [start, end] of blocks(q)) {
    const scores = blockScores(body, q, k, start, end, scale); // [B, G, T, R, S]
    const logSums = rowsOf(body, body.slice(statistics, 2, start, end), scores);
    const weights = body.unary("exponential", body.binary("subtract", scores, overPositions(body, logSums, scores)));
    const [keys, values] = [body.slice(k, 1, 0, end), body.slice(v, 1, 0, end)];
    const signal = grouped(body, body.slice(gradient, 1, start, end), k);
    const dweights = body.dot(signal, values, scoresOf, "float32");
    const mean = body.transpose(body.slice(means, 1, start, end), [0, 2, 1, 3]); // [B, G, T, R]
    const moved = body.binary("subtract", dweights, overPositions(body, mean, scores));
    const dscores = body.convert(body.with("multiply", body.binary("multiply", weights, moved), scale), q.dtype);
    dq.push(tokensFirst(body, body.dot(dscores, keys, weightedValues, "float32")));
    const queries = grouped(body, body.slice(q, 1, start, end), k);
    const ofKeys = whole(body.dot(dscores, queries, sumOverRows, "float32")); // [B, G, S, D]
    const ofValues = whole(body.dot(body.convert(weights, v.dtype), signal, sumOverRows, "float32"));
    dk = dk ? body.binary("add", dk, ofKeys) : ofKeys;
    dv = dv ? body.binary("add", dv, ofValues) : ofValues;
  }
  const [ofKeys, ofValues] = [dk, dv].map((sum) => body.transpose(sum as Ref, [0, 2, 1, 3])) as [Ref, Ref];
  const narrow = (made: Ref) => body.convert(made, q.dtype);
  return [narrow(body.concat(dq, 1)), narrow(ofKeys), narrow(ofValues)];
}

/** First and last-but-one tokens of every block. */
function blocks({ shape }: Ref): [number, number][] {
  const length = shape[1] as number;
  return Array.from({ length: Math.ceil(length / blockTokens) }, (_, i) => [
    i * blockTokens,
    Math.min(length, (i + 1) * blockTokens),
  ]);
}

/** Scaled scores `[B, G, T, R, S]` of tokens `start` … `end` − 1, −∞ where a token would look ahead. */
function blockScores(body: Body, q: Ref, k: Ref, start: number, end: number, scale: number): Ref {
  const queries = grouped(body, body.slice(q, 1, start, end), k);
  const products = body.dot(queries, body.slice(k, 1, 0, end), scoresOf, "float32");
  const scores = body.with("multiply", products, scale);
  const square = [end - start, end];
  const tokens = body.with("add", body.iota(square, 0, "int32"), start);
  const seen = body.compare("GE", tokens, body.iota(square, 1, "int32"));
  const visible = body.broadcast(seen, scores.shape, [2, 4]);
  return body.select(visible, scores, body.full(Number.NEGATIVE_INFINITY, scores));
}

/** `[B, T, H, D]` → `[B, T, G, R, D]`. */
function grouped(body: Body, x: Ref, keys: Ref): Ref {
  const [batch, length, heads, width] = x.shape as [number, number, number, number];
  const groups = keys.shape[2] as number;
  return body.reshape(x, [batch, length, groups, heads / groups, width]);
}

/** `[B, G, T, R, D]` → `[B, T, H, D]`. */
function tokensFirst(body: Body, x: Ref): Ref {
  const [batch, groups, length, rows, width] = x.shape as [number, number, number, number, number];
  return body.reshape(body.transpose(x, [0, 2, 1, 3, 4]), [batch, length, groups * rows, width]);
}

/** `[B, G, T, R]` → `[B, H, T]`. */
function headsFirst(body: Body, x: Ref): Ref {
  const [batch, groups, length, rows] = x.shape as [number, number, number, number];
  return body.reshape(body.transpose(x, [0, 1, 3, 2]), [batch, groups * rows, length]);
}

/** `[B, H, T]` → `[B, G, T, R]`. */
function rowsOf(body: Body, x: Ref, scores: Ref): Ref {
  const [batch, groups, length, rows] = scores.shape as [number, number, number, number];
  return body.transpose(body.reshape(x, [batch, groups, rows, length]), [0, 1, 3, 2]);
}

/** A number for each row of scores, in every element of the row. */
function overPositions(body: Body, numbers: Ref, scores: Ref): Ref {
  return body.broadcast(numbers, scores.shape, [0, 1, 2, 3]);
}
