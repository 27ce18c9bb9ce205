// What fixes a model: its sizes, its sharing and its few choices. A resolved config has no defaults left to apply and is
// what a run stores.

import { z } from "zod";
import { InputError } from "../error.ts";
import { checked } from "../options.ts";
import { type RopeScalingKind, ropeScalingSchema, ropeScalings } from "./rotary.ts";
import { checkSharing, type Sharing, type Sources, unshared } from "./sharing.ts";

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
  ropeScaling: ropeScalingSchema.optional(),
  /** Dimensions of a head that turn; all if absent. */
  ropeDim: size("headDim").optional(),
  /** Layers whose queries and keys do not turn, so that they know no positions (NoPE); none if absent. */
  noRope: z.array(z.int().min(0)).readonly().optional(),
  /**
   * RMS norms of every head's queries and keys; none if absent. "before" they turn, as in Qwen3: keys are kept normed.
   * "after", as in Hunyuan: each layer that reads keys has a scale of its own for them.
   */
  headNorms: z.enum(["before", "after"]).optional(),
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

/** What the decoder is built from: a config, or one whose layers use keys of one layer and values of another. */
export interface DecoderConfig extends Omit<ModelConfig, "sharing"> {
  readonly sharing: Sharing | Sources;
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
  checkRope(config);
  return config;
}

/** A count of layers. @throws InputError where it is none, or too large. */
export function checkLayers(layers: number): number {
  return checked(schema.pick({ layers: true }), { layers }, "model").layers;
}

function checkRope({ headDim, ropeDim = headDim, ropeScaling, noRope = [], layers, sharing }: ModelConfig): void {
  if (ropeDim % 2 !== 0 || ropeDim > headDim) {
    throw new InputError(`model: ropeDim must be even and at most headDim ${headDim}, found ${ropeDim}`);
  }
  if (ropeScaling?.type === "longrope") {
    for (const list of ["shortFactors", "longFactors"] as const) {
      const found = ropeScaling[list].length;
      if (found === ropeDim / 2) continue;
      throw new InputError(
        `model: ropeScaling.${list} needs a factor for each of ${ropeDim / 2} pairs, found ${found}`,
      );
    }
  }
  const beyond = noRope.find((layer) => layer >= layers);
  if (beyond !== undefined) throw new InputError(`model: noRope names layer ${beyond}; layers are 0 to ${layers - 1}`);
  const torn = sharing.findIndex((owner, layer) => noRope.includes(owner) !== noRope.includes(layer));
  if (torn < 0) return;
  throw new InputError(
    `model: sharing: layer ${torn} borrows from ${sharing[torn]}, and rotary embedding is left out (noRope) in one of them alone; share among layers that are alike in it`,
  );
}

/**
 * The same model for sequences of up to `context` tokens. Beyond what it was trained on it needs a way to get there.
 * @throws InputError where the context grows and no `scaling` is given.
 */
export function withContext(config: ModelConfig, context = config.context, scaling?: RopeScalingKind): ModelConfig {
  const { ropeScaling: own } = config;
  if (context <= config.context || (own?.type === "dynamic" && scaling === undefined)) {
    return modelConfig({ ...config, context });
  }
  if (scaling === undefined) {
    throw new InputError(
      `context: ${context} tokens asked, the model was trained on ${config.context}; give ropeScaling ${ropeScalings.map((name) => `"${name}"`).join(" or ")} to go beyond`,
    );
  }
  if (own && own.type !== "linear" && own.type !== "ntk") {
    throw new InputError(
      `context: ${context} tokens asked; the model has ropeScaling "${own.type}" for ${config.context} and takes no other`,
    );
  }
  const factor = (context / config.context) * (own?.factor ?? 1);
  return modelConfig({ ...config, context, ropeScaling: { type: scaling, factor } });
}

function dropUndefined<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, set]) => set !== undefined)) as Partial<T>;
}
