// What a model is made of, a row a parameter: where it is, along which axes it lies, what it is and how it starts. Whoever
// must know a parameter by its role asks here; nobody reads it from a name.

import type { DecoderConfig } from "./config.ts";

/** What a dimension of a parameter counts: `queries` are heads · headDim, `keys` KV heads · headDim, `head` one headDim. */
export type Axis = "vocab" | "width" | "queries" | "keys" | "head" | "mlp";

/** A place for a parameter. */
export interface Site {
  /**
   * "entry": before all layers. "layer": in every layer. "keys", "values", "either": in layers that keep keys, values, or
   * one of them. "exit": after all.
   */
  readonly in: "entry" | "layer" | "keys" | "values" | "either" | "exit";
  /** What its dimensions count; matrices are [out, in], as PyTorch stores them. */
  readonly axes: readonly Axis[];
  readonly kind: "matrix" | "embedding" | "norm" | "bias";
  /** "std": normal, of the config's `initStd`. "output": the same, scaled for what is added to the residual stream. */
  readonly init: "std" | "output" | "ones" | "zeros";
  /** The group of biases that decides whether its product has one. */
  readonly bias?: keyof DecoderConfig["biases"];
  /** Whether a model has it; every model if absent. */
  readonly if?: (config: DecoderConfig) => boolean;
  /** The norm of the residual stream that what it multiplies comes from; of the embedding table, where it is the head too. */
  readonly reads?: (config: DecoderConfig) => StreamNorm;
}

/** A norm of the residual stream. */
export type StreamNorm = "attn.norm" | "attn.kv_norm" | "mlp.norm" | "norm";

const norm = { axes: ["width"], kind: "norm", init: "ones" } as const;
const headNorm = { axes: ["head"], kind: "norm", init: "ones" } as const;
const reading = (reads: (config: DecoderConfig) => StreamNorm) => ({ kind: "matrix", init: "std", reads }) as const;
const kvStream = ({ kvNorm }: DecoderConfig): StreamNorm => (kvNorm === "own" ? "attn.kv_norm" : "attn.norm");

/** Every site, in the order of the data flow; a bias stands behind its matrix. */
export const sites = {
  embed: { in: "entry", axes: ["vocab", "width"], kind: "embedding", init: "std", reads: () => "norm" },
  "attn.norm": { in: "layer", ...norm },
  "attn.q": { in: "layer", axes: ["queries", "width"], ...reading(() => "attn.norm"), bias: "qkv" },
  "attn.q_norm": { in: "layer", ...headNorm, if: ({ headNorms }) => headNorms !== undefined },
  /** Of keys "after" they turn, as this layer reads them. */
  "attn.read_norm": { in: "layer", ...headNorm, if: ({ headNorms }) => headNorms === "after" },
  "attn.kv_norm": { in: "either", ...norm, if: ({ kvNorm }) => kvNorm === "own" },
  "attn.k": { in: "keys", axes: ["keys", "width"], ...reading(kvStream), bias: "qkv" },
  "attn.k_norm": { in: "keys", ...headNorm, if: ({ headNorms }) => headNorms === "before" },
  "attn.v": { in: "values", axes: ["keys", "width"], ...reading(kvStream), bias: "qkv" },
  "attn.o": { in: "layer", axes: ["width", "queries"], kind: "matrix", init: "output", bias: "output" },
  "mlp.norm": { in: "layer", ...norm },
  "mlp.gate": { in: "layer", axes: ["mlp", "width"], ...reading(() => "mlp.norm"), bias: "mlp" },
  "mlp.up": { in: "layer", axes: ["mlp", "width"], ...reading(() => "mlp.norm"), bias: "mlp" },
  "mlp.down": { in: "layer", axes: ["width", "mlp"], kind: "matrix", init: "output", bias: "mlp" },
  norm: { in: "exit", ...norm },
  head: {
    ...{ in: "exit", axes: ["vocab", "width"], kind: "embedding", init: "std", reads: () => "norm" },
    if: ({ tiedEmbeddings }) => !tiedEmbeddings,
  },
} as const satisfies Readonly<Record<string, Site>>;

/** A site's name: in a layer it follows the layer's. */
export type SiteName = keyof typeof sites;

/** The site called `name`. */
export const siteOf = (name: SiteName): Site => sites[name];

/** The place of the bias that is added to a matrix's product. */
export function biasSite({ in: place, axes }: Site): Site {
  return { in: place, axes: axes.slice(0, 1), kind: "bias", init: "zeros" };
}

/** The bias of the parameter called `name`. */
export const biasName = (name: string) => `${name}.bias`;

/** What a layer is called in names of parameters and as a scope of graphs. */
export const layerName = (layer: number) => `layers.${layer}`;

/** The name that a parameter has everywhere: in graphs, checkpoints, optimizer state and logs. */
export function parameterName(site: SiteName, layer: number): string {
  return `${layerName(layer)}.${site}`;
}

/** Elements along each axis. */
export function axisSizes({ vocab, width, heads, kvHeads, headDim, mlpWidth }: DecoderConfig): Record<Axis, number> {
  return { vocab, width, queries: heads * headDim, keys: kvHeads * headDim, head: headDim, mlp: mlpWidth };
}
