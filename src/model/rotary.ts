// The angles of rotary position embedding as tables; the rotation itself is a graph operation.

import type { Tensor } from "../tensor/tensor.ts";
import type { ModelConfig } from "./config.ts";

/** A pair's radians per position. `pair` counts from 0, to headDim / 2. */
type Frequency = (pair: number, sizes: RopeSizes, factor: number) => number;

interface RopeSizes {
  readonly headDim: number;
  readonly ropeTheta: number;
}

const plain: Frequency = (pair, { headDim, ropeTheta }) => ropeTheta ** (-pair / (headDim / 2));

/**
 * How fast pairs turn: as trained, or so that a context `factor` times as long stays in the range of training. "linear"
 * divides positions by the factor (arXiv 2306.15595); "ntk" slows the slow pairs by it and leaves the fast ones
 * (theta · factor^(D/(D−2)), "NTK-aware").
 */
const ropeKinds = {
  none: plain,
  linear: (pair, sizes, factor) => plain(pair, sizes, 1) / factor,
  ntk: (pair, { headDim, ropeTheta }, factor) =>
    plain(pair, { headDim, ropeTheta: ropeTheta * factor ** (headDim / (headDim - 2)) }, 1),
} as const satisfies Readonly<Record<string, Frequency>>;

/** How a context can be made longer than that of training. */
export type RopeScalingKind = Exclude<keyof typeof ropeKinds, "none">;
export const ropeScalings = Object.keys(ropeKinds).filter((kind) => kind !== "none") as RopeScalingKind[];

/** cos and sin of position · frequency (theta^(−2i/D) as trained), each `[positions, D/2]`, computed in float64 (arXiv 2104.09864 §3.2). */
export function rotaryTables(
  { headDim, ropeTheta, ropeScaling }: Pick<ModelConfig, "headDim" | "ropeTheta" | "ropeScaling">,
  positions: number,
): { cos: Tensor<"float32">; sin: Tensor<"float32"> } {
  const half = headDim / 2;
  const cos = new Float32Array(positions * half);
  const sin = new Float32Array(positions * half);
  const { type, factor } = ropeScaling ?? { type: "none", factor: 1 };
  for (let i = 0; i < half; i++) {
    const frequency = ropeKinds[type](i, { headDim, ropeTheta }, factor);
    for (let position = 0; position < positions; position++) {
      cos[position * half + i] = Math.cos(position * frequency);
      sin[position * half + i] = Math.sin(position * frequency);
    }
  }
  const shape = [positions, half];
  return { cos: { dtype: "float32", shape, data: cos }, sin: { dtype: "float32", shape, data: sin } };
}
