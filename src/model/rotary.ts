// The angles of rotary position embedding as tables; the rotation itself is a graph operation.

import type { Tensor } from "../tensor/tensor.ts";
import type { ModelConfig } from "./config.ts";

/** cos and sin of position · theta^(−2i/D), each `[positions, D/2]`, computed in float64 (arXiv 2104.09864 §3.2). */
export function rotaryTables(
  { headDim, ropeTheta, ropeScaling }: Pick<ModelConfig, "headDim" | "ropeTheta" | "ropeScaling">,
  positions: number,
): { cos: Tensor<"float32">; sin: Tensor<"float32"> } {
  const half = headDim / 2;
  const cos = new Float32Array(positions * half);
  const sin = new Float32Array(positions * half);
  const { type, factor } = ropeScaling ?? { type: "linear", factor: 1 };
  const theta = type === "ntk" ? ropeTheta * factor ** (headDim / (headDim - 2)) : ropeTheta;
  for (let i = 0; i < half; i++) {
    const frequency = theta ** (-i / half) / (type === "linear" ? factor : 1);
    for (let position = 0; position < positions; position++) {
      cos[position * half + i] = Math.cos(position * frequency);
      sin[position * half + i] = Math.sin(position * frequency);
    }
  }
  const shape = [positions, half];
  return { cos: { dtype: "float32", shape, data: cos }, sin: { dtype: "float32", shape, data: sin } };
}
