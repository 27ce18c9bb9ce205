// What a model is converted to: another sharing, fewer KV heads, or both; and from what each of the target's keys and
// values is made. Knows no weights.

import { InputError } from "../error.ts";
import { type ModelConfig, modelConfig } from "../model/config.ts";
import { group, owners, type Sharing } from "../model/sharing.ts";

/** What differs from the model that is converted; what is left out stays. */
export interface TargetOptions {
  readonly sharing?: Sharing | undefined;
  readonly kvHeads?: number | undefined;
}

/** Keys and values of the model that is converted. */
export interface Source {
  /** The layer that computes them. */
  readonly owner: number;
  /** The layers that attend to them, in the order of the model. */
  readonly readers: readonly number[];
}

/** Keys and values of the target, and what they are made from: the owner's first. */
export interface Merge {
  readonly owner: number;
  readonly sources: readonly Source[];
}

/**
 * The config of a model converted so.
 * @throws InputError where an owner would have no keys and values to begin with, layers that keep theirs together would
 * part, or KV heads cannot be merged evenly.
 */
export function targetConfig(from: ModelConfig, { sharing = from.sharing, kvHeads = from.kvHeads }: TargetOptions) {
  if (from.kvHeads % kvHeads !== 0) {
    const divisors = Array.from({ length: from.kvHeads }, (_, i) => i + 1).filter((n) => from.kvHeads % n === 0);
    throw InputError.at(
      "kvHeads",
      `${from.kvHeads} KV heads cannot be merged to ${kvHeads}; use ${divisors.join(", ")}`,
    );
  }
  const target = modelConfig({ ...from, sharing, kvHeads });
  for (const layer of owners(sharing)) {
    if (from.sharing[layer] === layer) continue;
    throw InputError.at(
      "sharing",
      `layer ${layer} would own keys and values, but borrows those of layer ${from.sharing[layer]} in the model that is converted, whose owners are ${owners(from.sharing).join(", ")}`,
    );
  }
  for (const [layer, owner] of from.sharing.entries()) {
    if (sharing[layer] === sharing[owner]) continue;
    throw InputError.at(
      "sharing",
      `layers ${owner} and ${layer} share in the model that is converted and would part; keep what shares together`,
    );
  }
  return target;
}

/** The merges that change something, in the order of their owners: of several sources, or of heads. */
export function changes(from: ModelConfig, target: ModelConfig): Merge[] {
  const merges = owners(target.sharing).map((owner): Merge => {
    const merged = owners(from.sharing).filter((source) => target.sharing[source] === owner);
    return { owner, sources: merged.map((source) => ({ owner: source, readers: group(from.sharing, source) })) };
  });
  return merges.filter(({ sources }) => sources.length > 1 || from.kvHeads !== target.kvHeads);
}
