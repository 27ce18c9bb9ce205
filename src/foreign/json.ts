// JSON of other projects before it is checked.

/** A config.json's object. */
export type Json = Readonly<Record<string, unknown>>;
