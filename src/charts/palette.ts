// The colours of models and slots, in drawings and on the page.

/** Mid-tones that read on white and on near-black. */
const palette = [
  "#3b74d9",
  "#d1495b",
  "#2a9d6f",
  "#b8860b",
  "#8e5bd0",
  "#0e97a7",
  "#d9661f",
  "#c2498f",
  "#6b7a8f",
  "#8a6a45",
] as const;

/** The colour of model or slot number `i`. */
export const colorOf = (i: number): string => palette[i % palette.length] as string;
