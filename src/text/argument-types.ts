// What the JSON schema of a tool says of the types of its arguments. Knows no forms of calls.

import { isObject } from "../files/json-file.ts";

/** The types that values of a schema have, by their names in JSON schemas; undefined if any. */
export function typesOf(schema: unknown, root: unknown, depth = 8): ReadonlySet<string> | undefined {
  const { type, enum: values, anyOf, oneOf, allOf, ...rest } = followed(schema, root);
  const literals = Object.hasOwn(rest, "const") ? [rest.const] : values;
  if (type !== undefined) return new Set([type].flat().map(String));
  if (Array.isArray(literals)) return new Set(literals.map(typeOf));
  const choices = anyOf ?? oneOf ?? allOf;
  if (!Array.isArray(choices) || depth === 0) return undefined;
  const each = choices.map((one) => typesOf(one, root, depth - 1));
  return each.every((types) => types !== undefined) ? new Set(each.flatMap((types) => [...types])) : undefined;
}

/** A schema, or what it refers to. */
export function followed(schema: unknown, root: unknown): Readonly<Record<string, unknown>> {
  let found = schema;
  for (let steps = 0; steps < 8 && isObject(found) && typeof found.$ref === "string"; steps++) {
    const parts = found.$ref.split("/").slice(1);
    found = parts.reduce<unknown>((value, part) => {
      const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
      return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
    }, root);
  }
  return isObject(found) ? found : {};
}

/** The type of a value, by its name in JSON schemas; integers are numbers. */
export function typeOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}
