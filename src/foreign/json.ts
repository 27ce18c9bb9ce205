// JSON of other projects before it is checked.

/** A config.json's object. */
export type Json = Readonly<Record<string, unknown>>;

/** A number, or NaN: of what a file says anything can be an object, and some of these cannot even be converted. */
export function numberOf(value: unknown): number {
  return typeof value === "number" ? value : Number.NaN;
}
