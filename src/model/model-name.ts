// What a model is called: the paper's scheme, from its config.

import type { ModelConfig } from "./config.ts";
import { sharingName } from "./sharing.ts";

/** The model's name in the paper's scheme, as in `H128-MQA-CLA2`. */
export function modelName({ heads, kvHeads, headDim, sharing }: ModelConfig): string {
  const kind = kvHeads === heads ? (heads === 1 ? "MQA" : "MHA") : kvHeads === 1 ? "MQA" : `GQA${kvHeads}`;
  return [`H${headDim}-${kind}`, sharingName(sharing)].filter(Boolean).join("-");
}
