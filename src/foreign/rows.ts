// The orders of rows in other projects' tensors: parts of fused matrices, and the pairs that rotary embedding turns.

import type { ModelConfig } from "../model/config.ts";
import { type Axis, axisSizes } from "../model/sites.ts";

/** Which row of a tensor is a parameter's row; elements count as rows where there is one axis. */
export type RowMap = (row: number) => number;

/** The order of a model's rows; undefined where it is ours. */
export type Rows = (config: ModelConfig) => RowMap | undefined;

/** Rows, in whatever order, that come after those of other axes. */
export function after(axes: readonly Axis[], order: Rows = () => undefined): Rows {
  return (config) => {
    const sizes = axisSizes(config);
    const start = axes.reduce((sum, axis) => sum + sizes[axis], 0);
    const inner = order(config);
    return (row) => start + (inner?.(row) ?? row);
  };
}

/** Every second row, from `start` on. */
export function everySecond(start: 0 | 1): Rows {
  return () => (row) => 2 * row + start;
}

/** Heads that come in twos: of each KV head its keys (0), then its values (1). */
export function headOfTwo(place: 0 | 1): Rows {
  return ({ headDim }) =>
    (row) =>
      (2 * Math.floor(row / headDim) + place) * headDim + (row % headDim);
}

/** A head's pairs as two halves of what turns, before what does not turn: Hugging Face. */
export const halvedPairs: Rows = (config) =>
  config.ropeDim === undefined ? undefined : pairs(config, (pair, turning) => [pair, turning + pair]);

/** A head's pairs side by side, before what does not turn: Meta, llama2.c, and llama.cpp for Llama. */
export const adjacentPairs: Rows = (config) => pairs(config, (pair) => [2 * pair, 2 * pair + 1]);

/** Our pair i of a head is its rows i and i + D/2; `places` says where the two are in theirs. */
function pairs(
  { headDim, ropeDim = headDim }: ModelConfig,
  places: (pair: number, turning: number) => readonly [number, number],
): RowMap {
  const [half, turning, still] = [headDim / 2, ropeDim / 2, (headDim - ropeDim) / 2];
  const map = Int32Array.from({ length: headDim }, (_, row) => {
    const pair = row % half;
    const part = row < half ? 0 : 1;
    return pair < turning ? (places(pair, turning)[part] as number) : ropeDim + part * still + pair - turning;
  });
  return (row) => row - (row % headDim) + (map[row % headDim] as number);
}
