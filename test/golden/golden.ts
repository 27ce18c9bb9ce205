// The golden files as data: what `make-golden.py` wrote, decoded. Knows nothing of how they are compared.

import { readdirSync, readFileSync } from "node:fs";
import { type ModelConfig, modelConfig } from "../../src/model/config.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

/** A gradient: all of a vector's, or what pins a matrix down in less room. */
export type StoredGradient =
  | { all: number[] }
  | { norm: number; rowSums: number[]; columnSums: number[]; every37: number[] };

/** What a run of AdamW gave: a number a step, and the norm of every parameter at the end. */
export interface Run {
  losses: number[];
  norms: number[];
  rates: number[];
  final: Record<string, number>;
}

/** Twenty steps of AdamW from the file's parameters. */
export interface Curve {
  schedule: { peak: number; steps: number; warmup: number; floor: number };
  /** Token ids `[steps, B, T + 1]`. */
  batches: number[][][];
  float64: Run;
  float32: Run;
}

/** One golden file. */
export interface Golden {
  readonly name: string;
  readonly config: ModelConfig;
  readonly parameters: Record<string, Tensor<"float32">>;
  /** Token ids `[B, T + 1]`. */
  readonly tokens: number[][];
  /** `[B, T, V]`, flat. */
  readonly logits: number[];
  readonly loss: number;
  readonly gradNorm: number;
  readonly gradients: Record<string, StoredGradient>;
  readonly curve?: Curve;
}

interface StoredParameter {
  shape: number[];
  offset: number;
  scale: number;
  int8: string;
}

/** Every golden file beside this one. */
export function goldens(): Golden[] {
  const folder = new URL("./", import.meta.url);
  const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return names.map((file) => {
    const stored = JSON.parse(readFileSync(new URL(file, folder), "utf8"));
    const parameters = Object.entries(stored.parameters as Record<string, StoredParameter>);
    return {
      ...stored,
      name: file.replace(".json", ""),
      config: modelConfig(stored.config),
      parameters: Object.fromEntries(parameters.map(([name, parameter]) => [name, decoded(parameter)])),
    };
  });
}

function decoded({ shape, offset, scale, int8 }: StoredParameter): Tensor<"float32"> {
  const data = Float32Array.from(Int8Array.from(Buffer.from(int8, "base64")), (number) => offset + scale * number);
  return { dtype: "float32", shape, data };
}
