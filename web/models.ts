// Served models as the views look at them: which two make the point side by side, and the colour of each.

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { modelColors } from "../src/charts/palette.ts";
import { isShared } from "../src/model/sharing.ts";
import type { ModelCard, StudyReply } from "../src/server/page-api.ts";

/** Whether layers of a model share. */
export const shares = ({ config }: ModelCard) => isShared(config.sharing);

/** Whether two models differ in who keeps keys and values alone. */
export function differInSharing(a: ModelCard, b: ModelCard): boolean {
  const rest = ({ config }: ModelCard) => JSON.stringify(Object.entries({ ...config, sharing: [] }).sort());
  return rest(a) === rest(b) && a.config.sharing.join() !== b.config.sharing.join();
}

/** The unshared twin of a model that shares, if it is served. */
export function twinOf(card: ModelCard, models: readonly ModelCard[]): ModelCard | undefined {
  if (!shares(card)) return undefined;
  return models.find((other) => !shares(other) && differInSharing(other, card));
}

/**
 * The two models that views begin with: one that shares and its twin that does not, else the nearest to that; one twice
 * where there is only one. `first` is to be among them if given.
 */
export function pairOf(models: readonly ModelCard[], first?: ModelCard): readonly [ModelCard, ModelCard] | undefined {
  const candidates = first ? [first] : [...models.filter(shares), ...models];
  for (const card of candidates) {
    const twin = twinOf(card, models);
    if (twin) return [card, twin];
    const sharing = models.find((other) => twinOf(other, models) === card);
    if (sharing) return [sharing, card];
  }
  const [card] = candidates;
  if (!card) return undefined;
  const other = models.find((model) => shares(model) !== shares(card)) ?? models.find((model) => model !== card);
  return [card, other ?? card];
}

/** Colours by model name: of those that are served, then those of a study alone. */
export function colorsOf(models: readonly ModelCard[], study?: StudyReply): ReadonlyMap<string, string> {
  const served = models.map(({ name, config }) => ({ name, model: config }));
  return modelColors([...served, ...(study?.results ?? []), ...(study?.live ?? [])]);
}

/** The served models' colours, for whoever stands within. */
export const Colors = createContext<ReadonlyMap<string, string>>(new Map());

/** The colour of a model by its name. */
export function useColor(name: string): string {
  return useContext(Colors).get(name) ?? "var(--accent)";
}
