// What a model can be told as: the architectures of other projects, a row each, with which models suit them, how these are
// said in a config.json and where tensors lie. Knows no files.

import type { LayoutName } from "../foreign/layouts.ts";
import type { ModelConfig } from "../model/config.ts";
import { isShared } from "../model/sharing.ts";
import { gptConfig, laterConfig, latestConfig, unsuitedAuthors } from "./authors-config.ts";
import { type ModelWeights, withBiases, withOwnNorms, withSharedNorms } from "./model-weights.ts";
import { ownConfig } from "./own-config.ts";
import { ropeWords } from "./rope-words.ts";

/** A config.json's fields. */
export type Words = Readonly<Record<string, unknown>>;

/** An architecture of another project. */
export interface Target {
  readonly layout: LayoutName;
  /** Why a model is not of this architecture; undefined if it is. */
  unsuited(config: ModelConfig): string | undefined;
  /** The model with the norms and biases that the architecture has. */
  adapted(weights: ModelWeights): ModelWeights | Promise<ModelWeights & { readonly folded: number }>;
  /** Its fields of config.json, beside those of tokens and types. */
  words(config: ModelConfig): Words;
  /** Python files that transformers runs, beside the weights. */
  readonly code?: readonly string[];
  /** The pattern by which transformers (since 5) cuts its texts, whatever their tokenizer.json says. */
  readonly cut?: string;
}

/** What an architecture of Hugging Face's has that others have not. */
interface Features {
  /** "all": of queries, keys, values and attention's output, or of none. "qkv": of all but the output, always. */
  readonly attentionBias?: "all" | "qkv";
  readonly mlpBias?: boolean;
  readonly headNorms?: ModelConfig["headNorms"];
  readonly noRope?: boolean;
  readonly partialRope?: boolean;
}

/** An architecture whose layers all have keys and values of their own. */
function huggingFace(
  type: string,
  architecture: string,
  layout: LayoutName,
  features: Features,
  more?: (config: ModelConfig) => Words,
): Target {
  return {
    layout,
    unsuited: (config) => unsuited(config, features),
    adapted: async (weights) => {
      const { folded, ...shared } = await withSharedNorms(weights);
      const { qkv, output, mlp } = weights.config.biases;
      const isMixed = features.attentionBias === "all" && qkv !== output;
      return { ...(isMixed ? withBiases(shared, { qkv: true, output: true, mlp }) : shared), folded };
    },
    words: (config) => ({
      ...{ model_type: type, architectures: [architecture] },
      ...commonWords(config),
      ...(features.attentionBias === "all" && { attention_bias: config.biases.qkv }),
      ...(features.mlpBias && { mlp_bias: config.biases.mlp }),
      ...more?.(config),
    }),
  };
}

function unsuited(config: ModelConfig, features: Features): string | undefined {
  const { biases, headNorms, noRope = [], ropeDim = config.headDim } = config;
  const { qkv, output, mlp } = biases;
  const reasons = [
    isShared(config.sharing) && "its layers share keys and values",
    headNorms !== features.headNorms &&
      (headNorms
        ? `it norms each head ${headNorms} rotary embedding`
        : `it does not norm each head's queries and keys`),
    noRope.length > 0 && !features.noRope && "it has layers without rotary embedding",
    ropeDim !== config.headDim &&
      !features.partialRope &&
      `it turns ${ropeDim} of a head's ${config.headDim} dimensions`,
    config.width % config.heads !== 0 && `its width ${config.width} is no multiple of ${config.heads} heads`,
    biasProblem({ qkv, output }, features.attentionBias),
    mlp && !features.mlpBias && "its MLPs have biases",
  ];
  return reasons.find((reason) => typeof reason === "string");
}

function biasProblem({ qkv, output }: { qkv: boolean; output: boolean }, kind: Features["attentionBias"]) {
  if (kind === "all" || (kind === "qkv" ? qkv && !output : !qkv && !output)) return undefined;
  const told = (is: boolean) => (is ? "has" : "has no");
  return `it ${told(qkv)} biases of queries, keys and values, and ${told(output)} bias of attention's output`;
}

function commonWords(config: ModelConfig): Words {
  return {
    ...{ vocab_size: config.vocab, hidden_size: config.width, intermediate_size: config.mlpWidth },
    ...{ num_hidden_layers: config.layers, num_attention_heads: config.heads, num_key_value_heads: config.kvHeads },
    ...{ head_dim: config.headDim, hidden_act: "silu", max_position_embeddings: config.context },
    ...{ rms_norm_eps: config.normEpsilon, ...ropeWords(config), attention_dropout: 0 },
    ...{ initializer_range: config.initStd, tie_word_embeddings: config.tiedEmbeddings, use_cache: true },
  };
}

const withoutRope = ({ noRope = [], layers }: ModelConfig): Words => ({
  no_rope_layers: Array.from({ length: layers }, (_, layer) => Number(!noRope.includes(layer))),
});
const rotaryPart = ({ ropeDim, headDim, context, ropeScaling }: ModelConfig): Words => ({
  partial_rotary_factor: (ropeDim ?? headDim) / headDim,
  sliding_window: null,
  original_max_position_embeddings: ropeScaling?.type === "longrope" ? ropeScaling.originalContext : context,
});

const authors = (layout: LayoutName, words: (config: ModelConfig) => Words): Target => ({
  layout,
  unsuited: unsuitedAuthors,
  adapted: (weights) => {
    const { qkv, output, mlp } = weights.config.biases;
    const biases = qkv || output || mlp;
    return withBiases(withOwnNorms(weights), { qkv: biases, output: biases, mlp: biases });
  },
  words,
});

const noWindow = () => ({ use_sliding_window: false });
const qwenCut =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** Every target; of those that a model suits, the first is taken. */
export const targets = {
  qwen2: {
    ...huggingFace("qwen2", "Qwen2ForCausalLM", "llama", { attentionBias: "qkv" }, noWindow),
    cut: qwenCut,
  },
  llama: huggingFace("llama", "LlamaForCausalLM", "llama", { attentionBias: "all", mlpBias: true }),
  qwen3: huggingFace("qwen3", "Qwen3ForCausalLM", "llama", { attentionBias: "all", headNorms: "before" }, noWindow),
  smollm3: huggingFace(
    "smollm3",
    "SmolLM3ForCausalLM",
    "llama",
    { attentionBias: "all", mlpBias: true, noRope: true },
    withoutRope,
  ),
  phi3: huggingFace("phi3", "Phi3ForCausalLM", "phi3", { partialRope: true }, rotaryPart),
  hunyuan: huggingFace("hunyuan_v1_dense", "HunYuanDenseV1ForCausalLM", "hunyuan", {
    attentionBias: "all",
    headNorms: "after",
  }),
  /** Any model, by code of crosslayer's own that transformers runs. */
  crosslayer: {
    layout: "crosslayer",
    unsuited: () => undefined,
    adapted: (weights) => weights,
    words: ownConfig,
    code: ["configuration_crosslayer.py", "modeling_crosslayer.py"],
  },
  "crosslayer-2024": authors("crosslayer-2024", gptConfig),
  "crosslayer-2025": authors("crosslayer-2025", laterConfig),
  "crosslayer-2026": authors("crosslayer-2026", latestConfig),
} as const satisfies Readonly<Record<string, Target>>;

/** A target's name. */
export type TargetName = keyof typeof targets;
export const targetNames = Object.keys(targets) as TargetName[];

/** The first target that a model suits, and that cuts texts as its tokenizer.json does. */
export function usualTarget(config: ModelConfig, tokenizer: unknown): TargetName {
  const suits = (target: Target) => target.unsuited(config) === undefined && cutsAlike(target, tokenizer);
  return targetNames.find((name) => suits(targets[name])) as TargetName;
}

/** Whether transformers cuts a target's texts as their tokenizer.json says. */
export function cutsAlike({ cut }: Target, tokenizer: unknown): boolean {
  if (cut === undefined) return true;
  const { pre_tokenizer: steps } = tokenizer as { pre_tokenizer?: unknown };
  return JSON.stringify(steps ?? null).includes(JSON.stringify(cut));
}
