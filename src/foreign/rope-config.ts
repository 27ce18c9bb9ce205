// Rotary embedding as Hugging Face's configs say it, in ours: `rope_parameters` (since transformers 5), or `rope_theta` with
// `rope_scaling`. Kinds are those of transformers' modeling_rope_utils.py.

import { InputError } from "../error.ts";
import { isObject } from "../files/json-file.ts";
import type { ModelConfig } from "../model/config.ts";
import type { RopeScaling } from "../model/rotary.ts";
import { type Json, numberOf } from "./json.ts";

/** What a config says of rotary embedding. */
export type RopeConfig = Pick<ModelConfig, "ropeScaling" | "ropeDim"> & { readonly ropeTheta?: number };

interface Sizes {
  readonly headDim: number;
  readonly context: number;
}

/** Reads it. @throws InputError naming a kind that is not known, or a number that is missing. */
export function ropeConfig(config: Json, sizes: Sizes): RopeConfig {
  const rope: Json = [config.rope_parameters, config.rope_scaling].find(isObject) ?? {};
  const theta = rope.rope_theta ?? config.rope_theta;
  const part = rope.partial_rotary_factor ?? config.partial_rotary_factor ?? 1;
  const ropeDim = Math.trunc(sizes.headDim * numberOf(part));
  const scaling = scalingOf(rope, config, sizes);
  return {
    ...(typeof theta === "number" && { ropeTheta: theta }),
    ...(ropeDim !== sizes.headDim && { ropeDim }),
    ...(scaling && { ropeScaling: scaling }),
  };
}

function scalingOf(rope: Json, config: Json, { context }: Sizes): RopeScaling | undefined {
  const type = rope.rope_type ?? rope.type ?? "default";
  const number = (key: string, otherwise?: number): number => {
    const value = rope[key] ?? otherwise;
    if (typeof value === "number" && value > 0) return value;
    throw new InputError(`rope_scaling: ${key} must be a number above 0, found ${JSON.stringify(value)}`);
  };
  const stated = rope.original_max_position_embeddings ?? config.original_max_position_embeddings;
  const originalContext = typeof stated === "number" ? stated : context;
  switch (type) {
    case "default":
      return undefined;
    case "linear":
      return { type: "linear", factor: number("factor") };
    case "dynamic":
      // Hunyuan scales theta by a number of its own, for texts of any length.
      if (typeof rope.alpha === "number") return { type: "ntk", factor: rope.alpha };
      return { type: "dynamic", factor: number("factor"), originalContext: context };
    case "llama3":
      return {
        ...{ type: "llama3", factor: number("factor"), originalContext },
        ...{ lowFrequency: number("low_freq_factor"), highFrequency: number("high_freq_factor") },
      };
    case "yarn": {
      const factor = number("factor", context / originalContext);
      return {
        ...{ type: "yarn", factor, originalContext },
        ...{
          fastTurns: number("beta_fast", 32),
          slowTurns: number("beta_slow", 1),
          wholePairs: rope.truncate !== false,
        },
        amplitude: number("attention_factor", yarnAmplitude(rope, factor)),
      };
    }
    case "longrope":
    case "su": {
      const factor = context / originalContext;
      const grown = factor > 1 ? Math.sqrt(1 + Math.log(factor) / Math.log(originalContext)) : 1;
      const [shortFactors, longFactors] = ["short_factor", "long_factor"].map((key) => {
        if (Array.isArray(rope[key])) return rope[key] as number[];
        throw new InputError(`rope_scaling: ${type} needs ${key}, a list of numbers`);
      }) as [number[], number[]];
      return {
        ...{ type: "longrope", originalContext, shortFactors, longFactors },
        amplitude: number("attention_factor", grown),
      };
    }
    default:
      throw new InputError(
        `rope_scaling ${JSON.stringify(type)} is not known; known are linear, dynamic, llama3, yarn and longrope`,
      );
  }
}

/** How much YaRN sharpens attention where a config does not say. */
export function yarnAmplitude({ mscale, mscale_all_dim: all }: Json, factor: number): number {
  const scale = (m: number) => (factor <= 1 ? 1 : 0.1 * m * Math.log(factor) + 1);
  return typeof mscale === "number" && typeof all === "number" && mscale && all ? scale(mscale) / scale(all) : scale(1);
}
