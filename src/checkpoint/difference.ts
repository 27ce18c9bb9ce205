// Where two JSON values differ, by name, to tell what changed between two times. Does not know what they mean.

import { isObject } from "../files/json-file.ts";

/** A place, as in `model.context`, and what each value has there; undefined for nothing. */
export interface Difference {
  readonly path: string;
  readonly was: unknown;
  readonly is: unknown;
}

/** The first difference of two JSON values; what JSON leaves out is no difference. */
export function firstDifference(was: unknown, is: unknown, path = ""): Difference | undefined {
  if (!isObject(was) || !isObject(is)) {
    return JSON.stringify(was) === JSON.stringify(is) ? undefined : { path, was, is };
  }
  for (const key of new Set([...Object.keys(was), ...Object.keys(is)])) {
    const found = firstDifference(was[key], is[key], path === "" ? key : `${path}.${key}`);
    if (found) return found;
  }
  return undefined;
}

/** A value in a message: as JSON, and not endless. */
export function shown(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
