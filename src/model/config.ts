// What fixes a model: its sizes, its sharing and its few choices. A resolved config has no defaults left to apply and is
// what a run stores.

import { z } from "zod";
import { InputError } from "../error.ts";
import { checked } from "../options.ts";
import { ropeScalings } from "./rotary.ts";
import { checkSharing, type Sharing, unshared } from "./sharing.ts";

/** The largest sizes there may be: beyond any model, and small enough to be counted without harm. */
export const largestSizes = {
  layers: 4096,
  width: 1 << 18,
  heads: 1 << 14,
  kvHeads: 1 << 14,
  headDim: 1 << 14,
  mlpWidth: 1 << 22,
  vocab: 1 << 24,
  context: 1 << 24,
} as const;

const size = (name: keyof typeof largestSizes) => z.int().min(1).max(largestSizes[name]);
const layersOf: z.ZodType<Sharing, Sharing> = z.array(z.int());

/** Longer contexts than trained for, without training (see `ropeKinds`). */
const ropeScaling = z.strictObject({ type: z.enum(ropeScalings), factor: z.number().min(1) });

/** How positions beyond those of training are brought into their range. */
export type RopeScaling = Readonly<z.output<typeof ropeScaling>>;

/** Sizes are counts. */
const schema = z.strictObject({
  layers: size("layers"),
  width: size("width"),
  heads: size("heads"),
  /** KV heads: `heads` is MHA, 1 is MQA, between is GQA. */
  kvHeads: size("kvHeads"),
  /** Independent of `width`: the paper's H46 has 45 heads of 46 on width 2048. */
  headDim: size("headDim"),
  /** The SwiGLU's inner width. */
  mlpWidth: size("mlpWidth"),
  vocab: size("vocab"),
  /** The longest sequence it is trained on, in tokens. */
  context: size("context").default(2048),
  sharing: layersOf,
  ropeTheta: z.number().positive().default(10000),
  /** How positions beyond those of training are brought into their range; not at all if absent. */
  ropeScaling: ropeScaling.optional(),
  normEpsilon: z.number().positive().default(1e-5),
  /** The output projection is the embedding table. */
  tiedEmbeddings: z.boolean().default(true),
  /** "own": keys and values have a norm apart from the queries' (the paper); "shared": one norm, as in Llama. */
  kvNorm: z.enum(["own", "shared"]).default("own"),
  biases: z
    .strictObject({ qkv: z.boolean(), output: z.boolean(), mlp: z.boolean() })
    .default({ qkv: false, output: false, mlp: false }),
  /** Standard deviation of initial weights; √(1/(3·width)), the paper's 0.01275 at width 2048, if not given. */
  initStd: z.number().positive().optional(),
});

/** A decoder's shape. */
export interface ModelConfig extends Readonly<z.output<typeof schema>> {
  readonly initStd: number;
}

/** What `modelConfig` takes: sizes, and whatever should differ from the defaults. */
export type ModelOptions = Readonly<Omit<z.input<typeof schema>, "kvHeads" | "sharing">> &
  Partial<Pick<ModelConfig, "kvHeads" | "sharing">>;

/**
 * Resolves and checks a config. MHA and no sharing where nothing else is said.
 * @throws InputError naming the first field that is wrong, and what would be right.
 */
export function modelConfig(options: ModelOptions): ModelConfig {
  const { layers, heads, width } = options;
  const filled = {
    kvHeads: heads,
    sharing: unshared(Math.min(Math.max(layers, 0) || 0, largestSizes.layers)),
    ...dropUndefined(options),
  };
  const config = { initStd: Math.sqrt(1 / (3 * width)), ...checked(schema, filled, "model") };
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

/** A count of layers. @throws InputError where it is none, or too large. */
export function checkLayers(layers: number): number {
  return checked(schema.pick({ layers: true }), { layers }, "model").layers;
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
