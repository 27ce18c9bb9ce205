// What shared keys and values may begin as. Loads nothing.

/** The owner's, the mean of all that share (`pooled.ts`), or what reproduces all best on text (`fit.ts`). */
export const inits = ["owner", "mean", "fit"] as const;

/** One of them. */
export type Init = (typeof inits)[number];
