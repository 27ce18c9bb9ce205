// Causal attention and its gradient, in float64 and plain loops: what the interpreter computes of them.

import { at, each, generate, type Numbers, size } from "./numbers.ts";

/** softmax(scale · q·kᵀ) · v of `q [B, T, H, D]` and `k`, `v [B, T, G, D]`, and log Σ eˢ `[B, H, T]`. */
export function attend(q: Numbers, k: Numbers, v: Numbers, scale: number): [Numbers, Numbers] {
  const [batch, length, heads] = q.shape as [number, number, number];
  const group = groupOf(q, k);
  const statistics = generate([batch, heads, length], ([b, h, t]) => {
    const scores = Array.from(
      { length: (t as number) + 1 },
      (_, s) => scale * dot(q, [b!, t!, h!], k, [b!, s, group(h!)]),
    );
    const top = Math.max(...scores);
    return top + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - top), 0));
  });
  const out = generate(q.shape, ([b, t, h, d]) => {
    let sum = 0;
    for (let s = 0; s <= t!; s++) {
      const score = scale * dot(q, [b!, t!, h!], k, [b!, s, group(h!)]);
      sum += Math.exp(score - at(statistics, [b!, h!, t!])) * at(v, [b!, s, group(h!), d!]);
    }
    return sum;
  });
  return [out, statistics];
}

/** The gradients of `q`, `k` and `v`, from that of the output. */
export function attendGrad(
  [q, k, v]: readonly [Numbers, Numbers, Numbers],
  statistics: Numbers,
  gradient: Numbers,
  scale: number,
): [Numbers, Numbers, Numbers] {
  const group = groupOf(q, k);
  const [dq, dk, dv] = [q, k, v].map(({ shape }) => ({ shape, data: new Float64Array(size(shape)) })) as [
    Numbers,
    Numbers,
    Numbers,
  ];
  const addTo = (to: Numbers, row: readonly number[], from: Numbers, fromRow: readonly number[], factor: number) => {
    const width = to.shape[3] as number;
    const [start, source] = [place(to, row), place(from, fromRow)];
    for (let d = 0; d < width; d++) to.data[start + d] = to.data[start + d]! + factor * from.data[source + d]!;
  };
  each(q.shape.slice(0, 3), ([b, t, h]) => {
    const own = [b!, t!, h!];
    const rows = Array.from({ length: t! + 1 }, (_, s) => [b!, s, group(h!)]);
    const weights = rows.map((row) => Math.exp(scale * dot(q, own, k, row) - at(statistics, [b!, h!, t!])));
    const dweights = rows.map((row) => dot(gradient, own, v, row));
    const mean = weights.reduce((sum, weight, s) => sum + weight * dweights[s]!, 0);
    for (const [s, row] of rows.entries()) {
      const dscore = weights[s]! * (dweights[s]! - mean) * scale;
      addTo(dq, own, k, row, dscore);
      addTo(dk, row, q, own, dscore);
      addTo(dv, row, gradient, own, weights[s]!);
    }
  });
  return [dq, dk, dv];
}

/** Which KV head serves a query head. */
function groupOf(q: Numbers, k: Numbers): (head: number) => number {
  const perGroup = (q.shape[2] as number) / (k.shape[2] as number);
  return (head) => Math.floor(head / perGroup);
}

/** Where the vector of a sequence, token and head starts. */
function place({ shape }: Numbers, [b, t, h]: readonly number[]): number {
  return ((b! * shape[1]! + t!) * shape[2]! + h!) * shape[3]!;
}

function dot(x: Numbers, row: readonly number[], y: Numbers, other: readonly number[]): number {
  const [i, j] = [place(x, row), place(y, other)];
  let sum = 0;
  for (let d = 0; d < x.shape[3]!; d++) sum += x.data[i + d]! * y.data[j + d]!;
  return sum;
}
