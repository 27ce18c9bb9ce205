// A JSON schema (2020-12) as data: keywords, types, references, and whether two schemas have anything in common. Knows
// no grammars.

import { InputError } from "../error.ts";

/** A schema that is neither true nor false. */
export type Schema = Record<string, unknown>;

/** Keywords that demand nothing; `discriminator` is OpenAPI's. */
export const notes: ReadonlySet<string> = new Set([
  "title",
  "description",
  "default",
  "examples",
  "deprecated",
  "readOnly",
  "writeOnly",
  "discriminator",
  "$comment",
  "$schema",
  "$id",
  "$defs",
  "definitions",
]);

/** What can be demanded of each type. */
export const demands: Record<string, readonly string[]> = {
  object: ["properties", "required", "additionalProperties", "propertyNames", "minProperties", "maxProperties"],
  array: ["items", "prefixItems", "minItems", "maxItems", "uniqueItems"],
  string: ["minLength", "maxLength", "pattern", "format"],
  number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
  integer: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
  boolean: [],
  null: [],
};

/** The most times that something may be demanded. */
const mostTimes = 10_000;

/** An error about the place `at` (a JSON pointer) in a schema. */
export function refused(at: string, what: string): InputError {
  return InputError.at("format", `${at}: ${what}`, { shown: "JSON schema" });
}

export function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a JSON value is of a type. */
export function isOf(type: string, value: unknown): boolean {
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "object") return isSchema(value);
  return type === "integer" ? Number.isInteger(value) : typeof value === type;
}

/** The types that a schema names; if none, the one whose keywords it has. */
export function typesOf({ type }: Schema, asked: readonly string[], at: string): readonly string[] {
  const names = Object.keys(demands);
  const types = Array.isArray(type) ? type : [type];
  if (type === undefined) {
    const meant = names.find((name) => asked.every((keyword) => demands[name]?.includes(keyword)));
    if (meant) return [meant];
    throw refused(at, `${asked.join(", ")}: not supported without a type`);
  }
  if (types.length > 0 && types.every((one) => names.includes(one))) return types;
  throw refused(`${at}/type`, `must be of ${names.join(", ")}; found ${JSON.stringify(type)}`);
}

/** The least and the most of something. */
export function times(
  schema: Schema,
  low: string,
  high: string,
  at: string,
): [least: number, most: number | undefined] {
  for (const keyword of [low, high]) {
    const found = schema[keyword];
    if (found === undefined) continue;
    if (Number.isInteger(found) && (found as number) >= 0 && (found as number) <= mostTimes) continue;
    throw refused(`${at}/${keyword}`, `must be a whole number from 0 to ${mostTimes}; found ${JSON.stringify(found)}`);
  }
  const [least, most] = [(schema[low] as number | undefined) ?? 0, schema[high] as number | undefined];
  if (most !== undefined && most < least) throw refused(at, `${high} ${most} is less than ${low} ${least}`);
  return [least, most];
}

/** Whether lists and objects are in each other more than `most` times. */
export function isDeeper(value: unknown, most: number): boolean {
  const holders = (values: unknown[]) => new Set(values.filter((one) => typeof one === "object" && one !== null));
  let level = holders([value]);
  for (let depth = 0; level.size > 0; depth++) {
    if (depth === most) return true;
    level = holders([...level].flatMap((one) => Object.values(one as object)));
  }
  return false;
}

/** A name as a part of a JSON pointer (RFC 6901). */
export function pointer(name: string): string {
  return name.replace(/~/g, "~0").replace(/\//g, "~1");
}

/** The schema within `root` to which `ref`, which is at `at`, points. */
export function resolve(root: unknown, ref: string, at: string): unknown {
  if (ref !== "#" && !ref.startsWith("#/")) {
    throw refused(at, `$ref ${ref}: must be # or begin with #/, as nothing else is looked up`);
  }
  let found: unknown = root;
  for (const part of ref.split("/").slice(1)) {
    const name = decode(part).replace(/~1/g, "/").replace(/~0/g, "~");
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, name)) {
      throw refused(at, `$ref ${ref}: there is no ${name}`);
    }
    found = (found as Schema)[name];
  }
  return found;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a stray % is itself
  }
}

/**
 * Whether nothing fits both schemas, as far as types and required constants show it.
 * @param budget how many more pairs are looked at, for schemas that lead back to themselves have no end of them.
 */
export function apart(one: unknown, other: unknown, find: (ref: string) => unknown, budget = { pairs: 1000 }): boolean {
  if (--budget.pairs < 0) return false;
  const [a, b] = [followed(one, find), followed(other, find)];
  if (a === false || b === false) return true;
  if (!isSchema(a) || !isSchema(b)) return false;
  const [left, right] = [valuesOf(a), valuesOf(b)];
  if (left && right) return !left.some((value) => right.includes(value));
  const [types, others] = [kindsOf(a), kindsOf(b)];
  if (!types || !others) return false;
  if (!types.some((type) => others.includes(type))) return true;
  if (types.join() !== "object" || others.join() !== "object") return false;
  const [properties, otherProperties] = [a.properties, b.properties];
  if (!isSchema(properties) || !isSchema(otherProperties)) return false;
  return requiredOf(a).some(
    (name) =>
      requiredOf(b).includes(name) &&
      Object.hasOwn(properties, name) &&
      Object.hasOwn(otherProperties, name) &&
      apart(properties[name], otherProperties[name], find, budget),
  );
}

function followed(schema: unknown, find: (ref: string) => unknown): unknown {
  for (let steps = 0; steps < 8 && isSchema(schema) && typeof schema.$ref === "string"; steps++)
    schema = find(schema.$ref);
  return schema;
}

function requiredOf({ required }: Schema): readonly string[] {
  return Array.isArray(required) ? required.filter((name) => typeof name === "string") : [];
}

/** The only values of a schema, as texts. */
function valuesOf(schema: Schema): string[] | undefined {
  const values = Object.hasOwn(schema, "const") ? [schema.const] : schema.enum;
  return Array.isArray(values) ? values.map((value) => JSON.stringify(value, sorted)) : undefined;
}

/** For JSON.stringify: an object with its keys sorted, as their order means nothing. */
function sorted(_: string, value: unknown): unknown {
  if (!isSchema(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The types of a schema's values; integers are numbers. */
function kindsOf(schema: Schema): string[] | undefined {
  const values = valuesOf(schema)?.map((value) => JSON.parse(value));
  const types = values?.map((value) => Object.keys(demands).find((type) => isOf(type, value))) ?? schema.type;
  if (types === undefined) return undefined;
  return (Array.isArray(types) ? types : [types]).map((type) => (type === "integer" ? "number" : String(type)));
}
