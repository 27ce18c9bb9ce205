// Which layers share keys and values, as other projects write it in their configs. Each dialect is a row here and becomes
// our `sharing`; nothing else knows their words.

import { InputError } from "../error.ts";
import { isObject } from "../files/json-file.ts";
import { checkSharing, type Sharing } from "../model/sharing.ts";
import type { Json } from "./json.ts";

/** What a dialect says; undefined if the config does not use it. */
type Dialect = (config: Json, layers: number) => Sharing | undefined;

const dialects: Readonly<Record<string, Dialect>> = {
  // Authors' code (gpt_crosslayer): our own form.
  sharing_pattern: ({ sharing_pattern: pattern }) => {
    if (pattern === undefined || pattern === null) return undefined;
    if (!Array.isArray(pattern)) throw new InputError(`must be a list of layers, found ${JSON.stringify(pattern)}`);
    return pattern as number[];
  },
  // LCKV writes a string; a list of this name, as in Gemma, says which layers see a window only.
  layer_types: ({ layer_types: text }) => {
    if (typeof text !== "string") return undefined;
    return text.split("_").map((entry, layer) => {
      const match = /^(\d+)s?$/.exec(entry); // s: sliding window
      if (!match) throw new InputError(`found "${entry}" for layer ${layer}; expected a layer's number, as in 0_0_2_2`);
      const owner = Number(match[1]);
      if (owner <= layer) return owner;
      throw new InputError(
        `layer ${layer} reads layer ${owner} above it, which takes several passes over a prompt; that is LCKV's condensed cache, not cross-layer attention, which reads layers below`,
      );
    });
  },
  // Hunyuan: full groups from the bottom, the short one last.
  cla_share_factor: ({ use_cla: used, cla_share_factor: factor }, layers) => {
    if (used !== true) return undefined;
    const size = whole(factor ?? 1, 1, layers);
    return Array.from({ length: layers }, (_, layer) => layer - (layer % size));
  },
  // Hymba: lists of which the first owns; layers in none own theirs.
  kv_reuse_group: ({ kv_reuse_group: groups }, layers) => {
    if (groups === undefined || groups === null) return undefined;
    const sharing = Array.from({ length: layers }, (_, layer) => layer);
    const seen = new Set<number>();
    for (const members of Array.isArray(groups) ? groups : [groups]) {
      if (!Array.isArray(members)) throw new InputError(`must be a list of lists of layers, as in [[0,1],[2,3]]`);
      for (const member of members.map((layer) => whole(layer, 0, layers - 1))) {
        if (seen.has(member)) throw new InputError(`layer ${member} is in two groups`);
        seen.add(member);
        sharing[member] = members[0];
      }
    }
    return sharing;
  },
  // Gemma 3n, 4: the last layers read the last one of their own attention type that keeps its own.
  num_kv_shared_layers: ({ num_kv_shared_layers: shared, layer_types: types }, layers) => {
    const own = layers - whole(shared ?? 0, 0, layers - 1);
    if (own === layers) return undefined;
    const kinds = Array.isArray(types) ? types : new Array<unknown>(layers).fill("full_attention");
    if (kinds.length !== layers) throw new InputError(`layer_types has ${kinds.length} entries for ${layers} layers`);
    return kinds.map((kind, layer) => {
      if (layer < own) return layer;
      const owner = kinds.lastIndexOf(kind, own - 1);
      if (owner >= 0) return owner;
      throw new InputError(
        `layer ${layer} (${typeof kind === "string" ? kind : JSON.stringify(kind)}) has no layer of its type below ${own} to read from`,
      );
    });
  },
  // MLKV: that many owners, spread evenly (in floating point, as its code does it).
  num_key_value_layers: ({ num_key_value_layers: count }, layers) => {
    if (count === undefined || count === null) return undefined;
    const owners = whole(count, 1, layers);
    const starts = Array.from({ length: owners }, (_, i) => Math.trunc(i * (layers / owners)));
    return Array.from({ length: layers }, (_, layer) => starts.findLast((start) => start <= layer) as number);
  },
  // AFM: the last layers read the last one that keeps its own.
  num_kv_reuse_layers: ({ num_kv_reuse_layers: reused }, layers) => {
    const own = layers - whole(reused ?? 0, 0, layers - 1);
    return own === layers ? undefined : Array.from({ length: layers }, (_, layer) => Math.min(layer, own - 1));
  },
};

/**
 * The sharing that a foreign config declares; undefined if it declares none.
 * @throws InputError naming the key where it is no valid sharing, or two keys that say different things.
 */
export function declaredSharing(config: unknown, layers: number): Sharing | undefined {
  if (!isObject(config)) return undefined;
  const found = Object.entries(dialects).flatMap(([key, read]) => {
    try {
      const sharing = read(config, layers);
      return sharing === undefined ? [] : [{ key, sharing: checkSharing(sharing, layers) }];
    } catch (error) {
      throw error instanceof InputError ? new InputError(`${key}: ${error.message}`) : error;
    }
  });
  const other = found.find(({ sharing }) => sharing.join() !== found[0]?.sharing.join());
  if (found[0] === undefined || other === undefined) return found[0]?.sharing;
  throw new InputError(
    `${found[0].key} means ${found[0].sharing.join(",")} and ${other.key} means ${other.sharing.join(",")}; keep one`,
  );
}

function whole(value: unknown, least: number, most: number): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
  throw new InputError(`must be a whole number from ${least} to ${most}, found ${JSON.stringify(value)}`);
}
