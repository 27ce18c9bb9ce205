// Where the parameters of a model lie in another project's tensors: a table of places, read in both directions. Import
// picks a parameter's rows out of a tensor, export puts them there. Knows no files and no types of numbers.

import type { ModelConfig } from "../model/config.ts";
import { unsharedTwin } from "../model/cost.ts";
import { type Parameter, parameters } from "../model/parameters.ts";
import type { SiteName } from "../model/sites.ts";
import type { RowMap, Rows } from "./rows.ts";

/** A parameter's place. */
export interface Place {
  /** The tensor's name without `.weight` or `.bias`; `{layer}` and what else the layout names are filled in. */
  readonly tensor: string;
  /** Where the rows of a parameter lie that is a part of the tensor, or lies in another order; rows are the same if absent. */
  readonly rows?: Rows;
}

/** How another project lays out its tensors. */
export interface Layout {
  readonly places: Readonly<Partial<Record<SiteName, Place>>>;
  /** What stands in a layer's names; `{layer}` is its number if not said. */
  readonly words?: (config: ModelConfig, layer: number) => Readonly<Record<string, number>>;
  /** Tensors that files may hold and no model needs. */
  readonly needless?: RegExp;
}

/** A parameter, or a part of a tensor. */
export interface TensorPart {
  readonly parameter: Parameter;
  /** The tensor's row of each of the parameter's rows; undefined where they are the same. */
  readonly rows: RowMap | undefined;
}

/** A tensor of the other project and all that lies in it. */
export interface ForeignTensorShape {
  readonly name: string;
  readonly shape: readonly number[];
  readonly parts: readonly TensorPart[];
}

/** The tensors that hold a model, by name, in the order of the data flow. Throws a TypeError where the layout has no place. */
export function foreignTensors(config: ModelConfig, layout: Layout): Map<string, ForeignTensorShape> {
  const found = new Map<string, { shape: number[]; parts: TensorPart[] }>();
  for (const parameter of parameters(config)) {
    const { name, rows } = placeOf(config, layout, parameter);
    const [height = 0, ...inner] = parameter.shape;
    const tensor = found.get(name) ?? { shape: [0, ...inner], parts: [] };
    tensor.shape[0] = (tensor.shape[0] as number) + height;
    tensor.parts.push({ parameter, rows });
    found.set(name, tensor);
  }
  return new Map([...found].map(([name, tensor]) => [name, { name, ...tensor }]));
}

/** The tensors of the same model without sharing: what a file may hold of layers that borrow, in vain. */
export function unsharedTensors(config: ModelConfig, layout: Layout): Map<string, ForeignTensorShape> {
  return layout.words ? new Map() : foreignTensors(unsharedTwin(config), layout); // where names follow groups there is none
}

function placeOf(config: ModelConfig, layout: Layout, { name, layer, site }: Parameter) {
  const isBias = site.kind === "bias";
  const own = layer === undefined ? name : name.slice(`layers.${layer}.`.length);
  const key = (isBias ? own.slice(0, -".bias".length) : own) as SiteName;
  const place = layout.places[key];
  if (!place) throw new TypeError(`layout: no place for ${name}`);
  const words: Readonly<Record<string, number>> =
    layer === undefined ? {} : (layout.words?.(config, layer) ?? { layer });
  const tensor = place.tensor.replace(/\{(\w+)\}/g, (_, word) => String(words[word]));
  return { name: `${tensor}.${isBias ? "bias" : "weight"}`, rows: place.rows?.(config) };
}
