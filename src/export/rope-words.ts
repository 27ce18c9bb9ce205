// Rotary embedding in the words of Hugging Face's configs: what foreign/rope-config.ts reads.

import type { ModelConfig } from "../model/config.ts";
import { rotaryTurns } from "../model/rotary.ts";

/** `rope_theta` and `rope_scaling` of a model. Where a changed theta says all, no scaling is said. */
export function ropeWords(config: ModelConfig): { rope_theta: number; rope_scaling: object | null } {
  const { ropeTheta, ropeScaling: scaling, context } = config;
  const said = (rope_type: string, more: object) => ({
    rope_theta: ropeTheta,
    rope_scaling: { rope_type, ...more },
  });
  switch (scaling?.type) {
    case "linear":
      return said("linear", { factor: scaling.factor });
    case "llama3":
      return said("llama3", {
        ...{ factor: scaling.factor, original_max_position_embeddings: scaling.originalContext },
        ...{ low_freq_factor: scaling.lowFrequency, high_freq_factor: scaling.highFrequency },
      });
    case "yarn":
      return said("yarn", {
        ...{ factor: scaling.factor, original_max_position_embeddings: scaling.originalContext },
        ...{ beta_fast: scaling.fastTurns, beta_slow: scaling.slowTurns },
        ...{ attention_factor: scaling.amplitude, truncate: scaling.wholePairs },
      });
    case "longrope":
      return said("longrope", {
        ...{ short_factor: scaling.shortFactors, long_factor: scaling.longFactors },
        ...{ attention_factor: scaling.amplitude, original_max_position_embeddings: scaling.originalContext },
      });
    case "dynamic":
      // They take the context for the original one, and stretch it as texts grow beyond it.
      if (context === scaling.originalContext) return said("dynamic", { factor: scaling.factor });
  }
  return { rope_theta: rotaryTurns(config).theta as number, rope_scaling: null };
}
