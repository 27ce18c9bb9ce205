// Which layer's keys and values each layer attends to. A layer with `sharing[layer] === layer` is an owner, every other a
// borrower. Parameters, cache, cost and pictures follow from this one array; no other file asks whether a model is CLA.

import { InputError } from "../error.ts";

/** `sharing[layer]` is the layer whose keys and values `layer` uses: itself, or an earlier owner. */
export type Sharing = readonly number[];

/** Whose keys, and whose values, each layer uses. They need not be the same layers'. */
export interface Sources {
  readonly keys: Sharing;
  readonly values: Sharing;
}

/** The layers whose keys, and whose values, one layer uses. */
export interface Source {
  readonly keys: number;
  readonly values: number;
}

/** Keys and values of one layer. */
export function ownedBy(layer: number): Source {
  return { keys: layer, values: layer };
}

/** The sources of a sharing: a plain one is that of keys and of values. */
export function sourcesOf(sharing: Sharing | Sources): Sources {
  const isPlain = (found: Sharing | Sources): found is Sharing => Array.isArray(found);
  return isPlain(sharing) ? { keys: sharing, values: sharing } : sharing;
}

/** The named ways to choose owners (paper §5.1.3 for KeepEnds, DenseFront and DenseBack). */
export const patterns = ["even", "KeepEnds", "DenseFront", "DenseBack", "Tail"] as const;
export type Pattern = (typeof patterns)[number];

/** Returns `sharing` if it is valid; throws an InputError that names the layer where it is not. */
export function checkSharing(sharing: Sharing, layers: number): Sharing {
  if (sharing.length !== layers) {
    throw new InputError(`sharing: ${layers} layers need ${layers} entries, found ${sharing.length}`);
  }
  for (const [layer, owner] of sharing.entries()) {
    if (!Number.isInteger(owner) || owner < 0 || owner >= layers) {
      throw new InputError(`sharing: layer ${layer} borrows from ${owner}; layers are 0 to ${layers - 1}`);
    }
    if (owner > layer) {
      throw new InputError(
        `sharing: layer ${layer} borrows from ${owner}; a layer can only borrow from itself or an earlier owner`,
      );
    }
    if (sharing[owner] !== owner) {
      throw new InputError(
        `sharing: layer ${layer} borrows from ${owner}, which borrows from ${sharing[owner]} itself; name ${sharing[owner]}`,
      );
    }
  }
  return sharing;
}

/** Every layer its own keys and values: no sharing. */
export function unshared(layers: number): Sharing {
  return Array.from({ length: layers }, (_, layer) => layer);
}

/**
 * The sharing of `layers` layers at a sharing factor: groups of `factor` neighbours of which the first owns, the short
 * group first (paper §3). At factor n Tail has ⌈layers/n⌉ owners, DenseFront and DenseBack one more; KeepEnds has its
 * ends and groups of n between them.
 */
export function share(layers: number, factor: number, pattern: Pattern = "even"): Sharing {
  if (!Number.isInteger(factor) || factor < 1 || factor > layers) {
    throw new InputError(`sharing factor: must be a whole number from 1 to the ${layers} layers, found ${factor}`);
  }
  const owners = Math.ceil(layers / factor);
  const own = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
  const borrow = (owner: number, count: number) => new Array<number>(count).fill(owner);
  const checkRoom = () => {
    if (layers < 3) throw new InputError(`sharing: ${pattern} needs 3 layers or more, found ${layers}`);
    if (factor < 2) throw new InputError(`sharing: ${pattern} needs a factor of 2 or more, found ${factor}`);
  };
  switch (pattern) {
    case "even": {
      const short = layers % factor || factor; // layers in the first group
      return own(0, layers).map((layer) => (layer < short ? 0 : layer - ((layer - short) % factor)));
    }
    case "KeepEnds":
      checkRoom();
      return [0, ...share(layers - 2, Math.min(factor, layers - 2)).map((owner) => owner + 1), layers - 1];
    case "DenseFront":
      checkRoom();
      return [...own(0, owners), ...borrow(owners - 1, layers - owners - 1), layers - 1];
    case "DenseBack":
      checkRoom();
      return [0, 1, ...borrow(1, layers - owners - 1), ...own(layers - owners + 1, layers)];
    case "Tail":
      return [...own(0, owners), ...borrow(owners - 1, layers - owners)];
  }
}

/** The layers that own keys and values, in order; an owner's place here is its slot in the cache. */
export function owners(sharing: Sharing): number[] {
  return sharing.flatMap((owner, layer) => (owner === layer ? [layer] : []));
}

/** Whether some layer attends to another's keys and values. */
export function isShared(sharing: Sharing): boolean {
  return sharing.some((owner, layer) => owner !== layer);
}

/** The layers that attend to what `owner` stored, itself first. */
export function group(sharing: Sharing, owner: number): number[] {
  return sharing.flatMap((used, layer) => (used === owner ? [layer] : []));
}

/** What the paper calls a pattern of a factor: "CLA2", "CLA2-KeepEnds". */
export function patternName(factor: number, pattern: Pattern): string {
  return pattern === "even" ? `CLA${factor}` : `CLA${factor}-${pattern}`;
}

/** The paper's suffix for a sharing: "" if unshared, "CLA2", "CLA2-KeepEnds", or "CLA(0,1,0,1)" for all others. */
export function sharingName(sharing: Sharing): string {
  const layers = sharing.length;
  const same = (other: Sharing) => other.every((owner, layer) => owner === sharing[layer]);
  if (same(unshared(layers))) return "";
  for (const pattern of patterns) {
    for (let factor = 2; factor <= layers; factor++) {
      if (pattern !== "even" && (layers < 3 || Math.ceil(layers / factor) + 1 > layers)) continue;
      if (same(share(layers, factor, pattern))) return patternName(factor, pattern);
    }
  }
  return `CLA(${sharing.join(",")})`;
}

/** Every valid sharing of `layers` layers; for tests and small studies (4 layers have 15). */
export function allSharings(layers: number): Sharing[] {
  let found: number[][] = [[]];
  for (let layer = 0; layer < layers; layer++) {
    found = found.flatMap((sharing) => [layer, ...owners(sharing)].map((owner) => [...sharing, owner]));
  }
  return found;
}
