// Models of one size: sharing and smaller heads take parameters away, and a wider MLP gives them back, so that a comparison
// is one of caches and not of sizes.

import { parameterCount } from "../../model/cost.ts";
import { type Family, namedModel } from "../../model/name.ts";

/** What a matched MLP's width is a multiple of: tensor cores want it. */
const widthMultiple = 8;

/**
 * The names, with the MLP width at which each model comes nearest to the largest one's parameters without embeddings.
 * A name whose width stays the family's is as it was.
 */
export function matchedNames(names: readonly string[], family: Family): Map<string, string> {
  const countOf = (name: string) => parameterCount(namedModel(name, family)).nonEmbedding;
  const target = Math.max(...names.map(countOf));
  return new Map(
    names.map((name) => {
      const { mlpWidth } = namedModel(name, family);
      const bare = name.replace(/-MLP\d+$/, "");
      const wide = (more: number) => `${bare}-MLP${mlpWidth + more}`;
      const each = countOf(wide(widthMultiple)) - countOf(name);
      const steps = Math.round((target - countOf(name)) / each);
      return [name, steps === 0 ? name : wide(steps * widthMultiple)];
    }),
  );
}
