// What is wrong with a plan, in words: the key, what would be right, the nearest right key and those that there are. Knows
// plans only as a zod object.

import { z } from "zod";
import { InputError } from "../../error.ts";
import { nearest } from "./nearest.ts";

type Issue = z.core.$ZodIssue;

/** A mistake with the keys that there are where it is. */
interface Placed {
  readonly issue: Issue;
  readonly path: readonly PropertyKey[];
  readonly keys: readonly string[];
}

/** The mistake to tell of a value that `schema` does not take; a wrong key first, as what is missing is often its due. */
export function planMistake(schema: z.ZodType, issues: readonly Issue[]): InputError {
  const placed = issues.flatMap((issue) => placedIssues(schema, issue, []));
  const worst = placed.find(({ issue }) => issue.code === "unrecognized_keys") ?? (placed[0] as Placed);
  const { issue, path, keys } = worst;
  const place = path.join(".");
  if (issue.code === "unrecognized_keys") return unknownKey([...path, issue.keys[0] as string].join("."), keys);
  const isMissing = "input" in issue ? issue.input === undefined : issue.message.endsWith("received undefined");
  const problem = isMissing ? "is missing" : issue.message;
  return InputError.at(place, problem, { shown: `study plan: ${place || "the plan"}` });
}

/** The mistake of a key that is none. */
export function unknownKey(place: string, keys: readonly string[]): InputError {
  const key = place.split(".").at(-1) as string;
  const guess = nearest(key, keys);
  const problem = `is no key of a plan${guess || ";"} here it has ${keys.join(", ")}`;
  return InputError.at(place, problem, { shown: `study plan: ${place}` });
}

/** An issue, or those of the kind of a union that the value was most likely meant to be. */
function placedIssues(schema: z.ZodType, issue: Issue, before: readonly PropertyKey[]): Placed[] {
  const path = [...before, ...issue.path];
  const inner = at(schema, issue.path);
  if (issue.code !== "invalid_union" || !(inner instanceof z.ZodUnion)) {
    return [{ issue, path, keys: Object.keys(objectOf(inner)?.shape ?? {}) }];
  }
  const kinds = issue.errors.map((errors, i) => ({ errors, kind: inner.options[i] as z.ZodType }));
  const isOtherKind = (errors: readonly Issue[]) =>
    errors.some(({ code, path }) => code === "invalid_type" && path.length === 0);
  const unknown = (errors: readonly Issue[]) =>
    errors.reduce((sum, error) => sum + (error.code === "unrecognized_keys" ? error.keys.length : 0), 0);
  const meant = kinds
    .filter(({ errors }) => !isOtherKind(errors))
    .sort((a, b) => unknown(a.errors) - unknown(b.errors) || a.errors.length - b.errors.length)[0];
  if (!meant) return [{ issue, path, keys: [] }];
  return meant.errors.flatMap((error) => placedIssues(meant.kind, error, path));
}

/** The schema of what lies at `path`. */
function at(schema: z.ZodType, path: readonly PropertyKey[]): z.ZodType | undefined {
  const bare = unwrapped(schema);
  const [key, ...rest] = path;
  if (key === undefined) return bare;
  if (bare instanceof z.ZodObject) {
    const inner: z.ZodType | undefined = bare.shape[String(key)];
    return inner && at(inner, rest);
  }
  return bare instanceof z.ZodArray ? at(bare.element as z.ZodType, rest) : undefined;
}

/** The kind of a union whose keys can be wrong, where there is one. */
function objectOf(schema: z.ZodType | undefined): z.ZodObject | undefined {
  const kinds = schema instanceof z.ZodUnion ? (schema.options as z.ZodType[]) : [schema];
  return kinds.find((kind): kind is z.ZodObject => kind instanceof z.ZodObject);
}

function unwrapped(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodOptional || schema instanceof z.ZodDefault
    ? unwrapped(schema.unwrap() as z.ZodType)
    : schema;
}
