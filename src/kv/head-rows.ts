// Tokens' heads as rows of products, and back: the R query heads of a KV head stand beside each other, so that a product
// of one KV head multiplies all of them at once.

import { type Dim, times } from "../graph/dim.ts";
import { reshape, rotary, transpose } from "../graph/ops.ts";
import type { Value } from "../graph/value.ts";

/** Tokens `[X, M, G, R, W]` as the rows of one product for each X and G: `[X, G, M·R, W]`. */
export function rowsOfTokens(x: Value): Value {
  const [outer, inner, kvHeads, perGroup, width] = x.shape as [Dim, Dim, number, number, number];
  const turned = kvHeads === 1 ? x : transpose(x, [0, 2, 1, 3, 4]);
  return reshape(turned, [outer, kvHeads, times(inner, perGroup), width]);
}

/** Rows `[X, G, M·R, W]` of M tokens as tokens again, `[X·M, G, R, W]`. */
export function tokensOfRows(x: Value, inner: Dim, repeat: number): Value {
  const [outer, kvHeads, , width] = x.shape as [Dim, number, Dim, number];
  const shape = [times(outer, inner), kvHeads, repeat, width];
  if (kvHeads === 1) return reshape(x, shape);
  return reshape(transpose(reshape(x, [outer, kvHeads, inner, repeat, width]), [0, 2, 1, 3, 4]), shape);
}

/** Rows `[X, G, c, M·R, W]` of M tokens and c pieces, one row `[G, R, W]` a piece and token: `[X·c·M, G, R, W]`. */
export function tokensOfPieces(x: Value, inner: Dim, repeat: number): Value {
  const [outer, kvHeads, pieces, , width] = x.shape as [Dim, number, Dim, Dim, number];
  const shape = [times(outer, pieces, inner), kvHeads, repeat, width];
  if (kvHeads === 1) return reshape(x, shape);
  return reshape(transpose(reshape(x, [outer, kvHeads, pieces, inner, repeat, width]), [0, 2, 3, 1, 4, 5]), shape);
}

/** Rows `[N, W]` of heads turned to their tokens' positions. */
export function turnedTo(x: Value, positions: Value, cos: Value, sin: Value): Value {
  const width = x.shape.at(-1) as number;
  return reshape(rotary(reshape(x, [1, "N", width]), positions, cos, sin), x.shape);
}
