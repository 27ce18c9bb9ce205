// What fixes a model: its sizes, its sharing and its few choices. A resolved config has no defaults left to apply and is
// what a run stores.

import { z } from "zod";
import { InputError } from "../error.ts";
import { type RopeScalingKind, ropeScalings } from "./rotary.ts";
import { checkSharing, type Sharing, unshared } from "./sharing.ts";

const size = z.int().min(1);

const schema = z.strictObject({
  layers: size,
  width: size,
  heads: size,
  kvHeads: size,
  headDim: size,
  mlpWidth: size,
  vocab: size,
  context: size,
  sharing: z.array(z.int()),
  ropeTheta: z.number().positive().default(10000),
  ropeScaling: z.strictObject({ type: z.enum(ropeScalings), factor: z.number().min(1) }).optional(),
  normEpsilon: z.number().positive().default(1e-5),
  tiedEmbeddings: z.boolean().default(true),
  kvNorm: z.enum(["own", "shared"]).default("own"),
  biases: z
    .strictObject({ qkv: z.boolean(), output: z.boolean(), mlp: z.boolean() })
    .default({ qkv: false, output: false, mlp: false }),
  initStd: z.number().positive().optional(),
});

/** Longer contexts than trained for, without training (see `ropeKinds`). */
export interface RopeScaling {
  readonly type: RopeScalingKind;
  readonly factor: number;
}

/** A decoder's shape. Sizes are counts; `mlpWidth` is the SwiGLU's inner width. */
export interface ModelConfig {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  /** KV heads: `heads` is MHA, 1 is MQA, between is GQA. */
  readonly kvHeads: number;
  /** Independent of `width`: the paper's H46 has 45 heads of 46 on width 2048. */
  readonly headDim: number;
  readonly mlpWidth: number;
  readonly vocab: number;
  /** The longest sequence it is trained on, in tokens. */
  readonly context: number;
  readonly sharing: Sharing;
  readonly ropeTheta: number;
  /** How positions beyond those of training are brought into their range; not at all if absent. */
  readonly ropeScaling?: RopeScaling;
  readonly normEpsilon: number;
  /** The output projection is the embedding table. */
  readonly tiedEmbeddings: boolean;
  /** "own": keys and values have a norm apart from the queries' (the paper); "shared": one norm, as in Llama. */
  readonly kvNorm: "own" | "shared";
  readonly biases: { readonly qkv: boolean; readonly output: boolean; readonly mlp: boolean };
  /** Standard deviation of initial weights; √(1/(3·width)), the paper's 0.01275 at width 2048, if not given. */
  readonly initStd: number;
}

/** What `modelConfig` takes: sizes, and whatever should differ from the defaults. */
export type ModelOptions = Pick<ModelConfig, "layers" | "width" | "heads" | "headDim" | "mlpWidth" | "vocab"> &
  Partial<ModelConfig>;

/**
 * Resolves and checks a config. MHA, no sharing and a context of 2048 where nothing else is said.
 * @throws InputError naming the first field that is wrong, and what would be right.
 */
export function modelConfig(options: ModelOptions): ModelConfig {
  const { layers, heads, width } = options;
  const filled = {
    kvHeads: heads,
    context: 2048,
    sharing: unshared(Math.min(Math.max(layers, 0) || 0, 65536)),
    ...dropUndefined(options),
  };
  const parsed = schema.safeParse(filled);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new InputError(`model: ${issue?.path.join(".") || "config"}: ${issue?.message}`);
  }
  const config = { initStd: Math.sqrt(1 / (3 * width)), ...parsed.data };
  if (config.heads % config.kvHeads !== 0) {
    const divisors = Array.from({ length: heads }, (_, i) => i + 1).filter((count) => heads % count === 0);
    throw new InputError(
      `model: ${heads} heads cannot share ${config.kvHeads} KV heads evenly; use ${divisors.join(", ")}`,
    );
  }
  if (config.headDim % 2 !== 0) {
    throw new InputError(
      `model: headDim must be even for rotary embedding, found ${config.headDim}; use ${config.headDim + 1}`,
    );
  }
  checkSharing(config.sharing, layers);
  return config;
}

/**
 * The same model for sequences of up to `context` tokens. Beyond what it was trained on it needs a way to get there.
 * @throws InputError where the context grows and no `scaling` is given.
 */
export function withContext(config: ModelConfig, context = config.context, scaling?: RopeScaling["type"]): ModelConfig {
  if (context <= config.context) return modelConfig({ ...config, context });
  if (scaling === undefined) {
    throw new InputError(
      `context: ${context} tokens asked, the model was trained on ${config.context}; give ropeScaling ${ropeScalings.map((name) => `"${name}"`).join(" or ")} to go beyond`,
    );
  }
  const factor = (context / config.context) * (config.ropeScaling?.factor ?? 1);
  return modelConfig({ ...config, context, ropeScaling: { type: scaling, factor } });
}

function dropUndefined<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, set]) => set !== undefined)) as Partial<T>;
}
