// Recursion in JSON schemas: finds schemas that lead back to themselves whatever is chosen, so that no finite text has them.
// Of grammars it knows only that they write all items of a tuple.

import { isSchema, type Schema } from "./schema.ts";

/** A reference, of `refs`, to a schema that no finite value has; undefined if there is none. `refs` leads to no others. */
export function endless(refs: Iterable<string>, find: (ref: string) => unknown): string | undefined {
  // What is referred to last depends on the least.
  const open = new Map([...refs].reverse().map((ref) => [find(ref), ref]));
  const isKnown = (ref: string) => !open.has(find(ref));
  for (let before = -1; before !== open.size; ) {
    before = open.size;
    for (const schema of open.keys()) if (ends(schema, isKnown)) open.delete(schema);
  }
  return open.values().next().value;
}

/** Whether a schema, all of whose keywords are as they should be, has a finite value, given the references that have one. */
function ends(schema: unknown, isKnown: (ref: string) => boolean): boolean {
  if (!isSchema(schema)) return true;
  const one = (part: unknown) => ends(part, isKnown);
  const { $ref, allOf, anyOf, oneOf, type } = schema;
  if (typeof $ref === "string") return isKnown($ref);
  if (Array.isArray(allOf)) return allOf.every(one);
  const choices = anyOf ?? oneOf;
  if (Array.isArray(choices)) return choices.some(one);
  if (Object.hasOwn(schema, "const") || schema.enum !== undefined) return true;
  const by = (name: unknown) =>
    name === "object" ? objectEnds(schema, one) : name !== "array" || arrayEnds(schema, one);
  // Without a type, all keywords are of one type, and the other has its way.
  return type === undefined ? by("object") && by("array") : [type].flat().some(by);
}

function objectEnds(schema: Schema, one: (part: unknown) => boolean): boolean {
  const { additionalProperties: other, minProperties: least = 0 } = schema;
  const properties = (schema.properties ?? {}) as Schema;
  const required = (schema.required ?? []) as readonly string[];
  if (required.length === 0) return Object.keys(properties).length > 0 || least === 0 || one(other);
  return required.every((name) => one(Object.hasOwn(properties, name) ? properties[name] : other));
}

function arrayEnds(schema: Schema, one: (part: unknown) => boolean): boolean {
  const { minItems = 0, maxItems, items } = schema as Record<string, number | undefined>;
  const prefix = ((schema.prefixItems ?? []) as unknown[]).slice(0, maxItems);
  return prefix.every(one) && (minItems <= prefix.length || one(items));
}
