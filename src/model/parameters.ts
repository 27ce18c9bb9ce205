// A model's parameters: names, shapes, initial values, all from its config and the table of sites. Borrowers have no K and
// V parameters, so whoever enumerates parameters here never trips over absent ones.

import type { Random } from "../tensor/random.ts";
import { sizeOf, type Tensor, type Tensors } from "../tensor/tensor.ts";
import type { DecoderConfig } from "./config.ts";
import { sourcesOf } from "./sharing.ts";
import { axisSizes, biasName, biasSite, parameterName, type Site, type SiteName, siteOf, sites } from "./sites.ts";

/** One parameter tensor. */
export interface Parameter {
  /** The name it has everywhere: in graphs, checkpoints, optimizer state and logs. */
  readonly name: string;
  readonly shape: readonly number[];
  /** Standard deviation of the initial normal values, or the constant they all start from. */
  readonly init: { readonly std: number } | { readonly value: number };
  /** What it is, for rules such as weight decay; its site's kind. */
  readonly role: Site["kind"];
  /** Where it is and what its dimensions count. */
  readonly site: Site;
  /** The layer that it is in; undefined before and after the layers. */
  readonly layer: number | undefined;
}

/** What a parameter's initial value depends on, beside the seed. */
export type DrawnParameter = Pick<Parameter, "name" | "shape" | "init">;

const names = Object.keys(sites) as SiteName[];
const namesIn = (...places: Site["in"][]) => names.filter((name) => places.includes(sites[name].in));
const entrySites = namesIn("entry");
const ownerSites = namesIn("keys", "values", "either");
const layerSites = names.filter((name) => sites[name].in === "layer" || ownerSites.includes(name));
const exitSites = namesIn("exit");

/** Every parameter of a model, in the order of the data flow. */
export function parameters(config: DecoderConfig): Parameter[] {
  const sizes = axisSizes(config);
  const list: Parameter[] = [];
  const add = (name: string, site: Site, layer?: number) => {
    const shape = site.axes.map((axis) => sizes[axis]);
    list.push({ name, shape, init: initOf(site, config), role: site.kind, site, layer });
  };
  const addSite = (name: string, site: Site, layer?: number) => {
    if (site.if && !site.if(config)) return;
    add(name, site, layer);
    if (site.bias && config.biases[site.bias]) add(biasName(name), biasSite(site), layer);
  };
  for (const name of entrySites) addSite(name, siteOf(name));
  for (let layer = 0; layer < config.layers; layer++) {
    for (const name of layerSites) {
      if (layerHas(layer, siteOf(name), config)) addSite(parameterName(name, layer), siteOf(name), layer);
    }
  }
  for (const name of exitSites) addSite(name, siteOf(name));
  return list;
}

/** Whether a layer keeps what a site's parameter is for. */
function layerHas(layer: number, { in: place }: Site, { sharing }: Pick<DecoderConfig, "sharing">): boolean {
  const { keys, values } = sourcesOf(sharing);
  const kept = { keys: keys[layer] === layer, values: values[layer] === layer };
  return place === "keys" || place === "values" ? kept[place] : place === "layer" || kept.keys || kept.values;
}

function initOf({ init }: Site, { initStd, layers }: DecoderConfig): Parameter["init"] {
  switch (init) {
    case "std":
      return { std: initStd };
    case "output":
      return { std: initStd / Math.sqrt(2 * layers) }; // GPT-2's scaling of what is added to the residual stream
    case "ones":
      return { value: 1 };
    case "zeros":
      return { value: 0 };
  }
}

/** The names that the parameters of keys and values would have in layers that borrow them: a file may hold them in vain. */
export function redundantNames(config: DecoderConfig): Set<string> {
  const layers = Array.from({ length: config.layers }, (_, layer) => layer);
  return new Set(
    layers.flatMap((layer) =>
      ownerSites.flatMap((site) => {
        if (layerHas(layer, siteOf(site), config)) return [];
        const name = parameterName(site, layer);
        return siteOf(site).bias ? [name, biasName(name)] : [name];
      }),
    ),
  );
}

/** The parameter that scores the vocabulary: the embedding table where embeddings are tied. */
export function headName({ tiedEmbeddings }: Pick<DecoderConfig, "tiedEmbeddings">): SiteName {
  return tiedEmbeddings ? "embed" : "head";
}

/**
 * How a model uses a parameter: `product` if rows are multiplied by it, as by matrices and by what scores the vocabulary;
 * `plain` if its numbers are looked up, added or scaled with. A tied embedding table is used in both ways.
 */
export function usesOf(config: DecoderConfig, { site }: Parameter): { product: boolean; plain: boolean } {
  const product = site.kind === "matrix" || site === sites[headName(config)];
  return { product, plain: site.kind !== "matrix" && site !== sites.head };
}

/** A parameter's tensor among a model's weights. @throws TypeError if it is not there, a defect of the caller. */
export function weightNamed(weights: Tensors, name: string): Tensor<"float32"> {
  const tensor = weights[name] as Tensor<"float32"> | undefined;
  if (!tensor) throw new TypeError(`weights: no tensor for ${name}`);
  return tensor;
}

/** Initial values. A parameter's depend on the seed and its name alone, so models that share a layer start it alike. */
export function initialize(config: DecoderConfig, random: Random): Tensors {
  return Object.fromEntries(parameters(config).map((parameter) => [parameter.name, initialValue(parameter, random)]));
}

/** A parameter's initial value, of the stream that `random` has by its name. */
export function initialValue({ name, shape, init }: DrawnParameter, random: Random): Tensor<"float32"> {
  const data = new Float32Array(sizeOf(shape));
  if ("value" in init) data.fill(init.value);
  else random.split(name).fillNormal(data, init.std);
  return { dtype: "float32", shape, data };
}
