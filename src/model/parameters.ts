// A model's parameters: names, shapes, initial values, all from its config and the table of sites. Borrowers have no K and
// V parameters, so whoever enumerates parameters here never trips over absent ones.

import type { Random } from "../tensor/random.ts";
import { sizeOf, type Tensor, type Tensors } from "../tensor/tensor.ts";
import type { ModelConfig } from "./config.ts";
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

const names = Object.keys(sites) as SiteName[];
const namesIn = (...places: Site["in"][]) => names.filter((name) => places.includes(sites[name].in));
const entrySites = namesIn("entry");
const layerSites = namesIn("layer", "owner");
const ownerSites = namesIn("owner");
const exitSites = namesIn("exit");

/** Every parameter of a model, in the order of the data flow. */
export function parameters(config: ModelConfig): Parameter[] {
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
  for (const [layer, owner] of config.sharing.entries()) {
    for (const name of layerSites) {
      const site = siteOf(name);
      if (site.in === "layer" || owner === layer) addSite(parameterName(name, layer), site, layer);
    }
  }
  for (const name of exitSites) addSite(name, siteOf(name));
  return list;
}

function initOf({ init }: Site, { initStd, layers }: ModelConfig): Parameter["init"] {
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
export function redundantNames({ sharing }: ModelConfig): Set<string> {
  const borrowers = [...sharing.keys()].filter((layer) => sharing[layer] !== layer);
  return new Set(
    borrowers.flatMap((layer) =>
      ownerSites.flatMap((site) => {
        const name = parameterName(site, layer);
        return siteOf(site).bias ? [name, biasName(name)] : [name];
      }),
    ),
  );
}

/** The parameter that scores the vocabulary: the embedding table where embeddings are tied. */
export function headName({ tiedEmbeddings }: Pick<ModelConfig, "tiedEmbeddings">): SiteName {
  return tiedEmbeddings ? "embed" : "head";
}

/**
 * How a model uses a parameter: `product` if rows are multiplied by it, as by matrices and by what scores the vocabulary;
 * `plain` if its numbers are looked up, added or scaled with. A tied embedding table is used in both ways.
 */
export function usesOf(config: ModelConfig, { site }: Parameter): { product: boolean; plain: boolean } {
  const product = site.kind === "matrix" || site === sites[headName(config)];
  return { product, plain: site.kind !== "matrix" && site !== sites.head };
}

/** Initial values. A parameter's depend on the seed and its name alone, so models that share a layer start it alike. */
export function initialize(config: ModelConfig, random: Random): Tensors {
  return Object.fromEntries(parameters(config).map((parameter) => [parameter.name, initialValue(parameter, random)]));
}

function initialValue({ name, shape, init }: Parameter, random: Random): Tensor<"float32"> {
  const data = new Float32Array(sizeOf(shape));
  if ("value" in init) return { dtype: "float32", shape, data: data.fill(init.value) };
  const stream = random.split(name);
  for (let i = 0; i < data.length; i++) data[i] = init.std * stream.normal();
  return { dtype: "float32", shape, data };
}
