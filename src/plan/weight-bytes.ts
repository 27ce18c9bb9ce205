// What a model's weights take in memory, by how they are kept; tests hold this to the tensors that the engine makes.

import type { ModelConfig } from "../model/config.ts";
import { isRounded, plainBytes, roundedBytes, type WeightFormat } from "../model/formats.ts";
import { type Parameter, parameters, usesOf } from "../model/parameters.ts";
import { sites } from "../model/sites.ts";

/** A tensor in memory. */
export interface KeptTensor extends Pick<Parameter, "name" | "shape" | "site" | "layer"> {
  /** In blocks of whole numbers with float32 scales, not as floating point. */
  readonly rounded: boolean;
}

/** The tensors that a model is served from. A tied embedding table that is rounded is there twice, as a head too. */
export function keptTensors(config: ModelConfig, format: WeightFormat): KeptTensor[] {
  return parameters(config).flatMap((parameter): KeptTensor[] => {
    const { name, shape, site, layer } = parameter;
    const kept = { name, shape, site, layer };
    if (!isRounded(format)) return [{ ...kept, rounded: false }];
    const { product, plain } = usesOf(config, parameter);
    const copy = plain ? { ...kept, name: "head", site: sites.head } : kept;
    return [...(plain ? [{ ...kept, rounded: false }] : []), ...(product ? [{ ...copy, rounded: true }] : [])];
  });
}

/** Bytes of a tensor. */
export function tensorBytes({ shape, rounded }: Pick<KeptTensor, "shape" | "rounded">, format: WeightFormat): number {
  return rounded && isRounded(format) ? roundedBytes(shape, format) : plainBytes(shape, format);
}

/** Bytes of all weights on one device. */
export function weightBytes(config: ModelConfig, format: WeightFormat): number {
  return keptTensors(config, format).reduce((sum, tensor) => sum + tensorBytes(tensor, format), 0);
}
