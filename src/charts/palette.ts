// The colours of models and of slots, in drawings and on the page: one colour means one thing everywhere. Mid-tones that
// read on white and on near-black.

import { isShared, type Sharing } from "../model/sharing.ts";

/** Of models in which every layer keeps its own keys and values: cool. */
const ownColors = ["#0e8f9e", "#8e5bd0", "#2a9d6f", "#7d8f2e", "#4f9a3a"] as const;

/** Of models in which layers share: warm. */
const sharedColors = [
  "#d9661f",
  "#c2498f",
  "#b8860b",
  "#d1495b",
  "#8a6a45",
  "#a8559a",
  "#e0607a",
  "#a65d3a",
  "#c9772f",
] as const;

/** Of slots, one beside the other: no model has these. White text stands on them. */
const slotColors = ["#386fd3", "#68768a"] as const;

/** The first of either kind, for legends. */
export const [ownColor, sharedColor] = [ownColors[0], sharedColors[0]];

/** A model as colours are given to it. */
export interface Coloured {
  readonly name: string;
  readonly model: { readonly sharing: Sharing };
}

/** A colour for every name: its kind by whether layers share, its tone by who of that kind comes first. */
export function modelColors(models: readonly Coloured[]): Map<string, string> {
  const colors = new Map<string, string>();
  const next = { own: 0, shared: 0 };
  for (const { name, model } of models) {
    if (colors.has(name)) continue;
    const color = isShared(model.sharing)
      ? sharedColors[next.shared++ % sharedColors.length]
      : ownColors[next.own++ % ownColors.length];
    colors.set(name, color as string);
  }
  return colors;
}

/** The colour of slot number `i`. */
export const slotColor = (i: number): string => slotColors[i % slotColors.length] as string;

/** The colour of case number `i`, where cases are no models. */
export const caseColor = (i: number): string => {
  const all = [...ownColors, ...sharedColors];
  return all[(i * ownColors.length) % all.length] as string;
};
