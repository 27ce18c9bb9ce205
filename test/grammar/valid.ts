// Whether a JSON value is valid under a schema (2020-12), keyword by keyword as the standard has it: the slow twin of
// the grammars.

type Schema = boolean | { readonly [keyword: string]: unknown };
type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

const types: Record<string, (value: unknown) => boolean> = {
  null: (value) => value === null,
  boolean: (value) => typeof value === "boolean",
  string: (value) => typeof value === "string",
  number: (value) => Number.isFinite(value),
  integer: (value) => Number.isInteger(value),
  array: Array.isArray,
  object: isObject,
};

/** Returns what is wrong, undefined if nothing is. */
export function fault(schema: Schema, value: unknown, root: Schema = schema): string | undefined {
  if (typeof schema === "boolean") return schema ? undefined : "false";
  const check = (other: unknown, part: unknown) => fault(other as Schema, part, root);
  for (const [keyword, asked] of Object.entries(schema)) {
    const rule = rules[keyword];
    if (rule && !rule(asked as never, value, schema, check, root))
      return `${keyword} ${JSON.stringify(asked)}: ${JSON.stringify(value)}`;
  }
  return undefined;
}

type Check = (schema: unknown, value: unknown) => string | undefined;
type Rule = (asked: never, value: unknown, schema: Json, check: Check, root: Schema) => boolean;

const number = (rule: (x: number, bound: number) => boolean) => (bound: number, x: unknown) =>
  typeof x !== "number" || rule(x, bound);
const length = (text: unknown) => (typeof text === "string" ? [...text].length : undefined);

const rules: Record<string, Rule> = {
  $ref: (ref: string, value, _, check, root) => {
    const parts = ref.split("/").slice(1);
    return !check(
      parts.reduce<unknown>(
        (schema, part) => (schema as Json)[decodeURIComponent(part).replace("~1", "/").replace("~0", "~")],
        root,
      ),
      value,
    );
  },
  const: (asked, value) => same(asked, value),
  enum: (asked: unknown[], value) => asked.some((one) => same(one, value)),
  anyOf: (asked: unknown[], value, _, check) => asked.some((one) => !check(one, value)),
  oneOf: (asked: unknown[], value, _, check) => asked.filter((one) => !check(one, value)).length === 1,
  allOf: (asked: unknown[], value, _, check) => asked.every((one) => !check(one, value)),
  type: (asked: string | string[], value) => [asked].flat().some((type) => types[type]?.(value)),
  minimum: number((x, bound) => x >= bound),
  maximum: number((x, bound) => x <= bound),
  exclusiveMinimum: number((x, bound) => x > bound),
  exclusiveMaximum: number((x, bound) => x < bound),
  minLength: (asked: number, value) => (length(value) ?? asked) >= asked,
  maxLength: (asked: number, value) => (length(value) ?? asked) <= asked,
  pattern: (asked: string, value) => typeof value !== "string" || new RegExp(asked, "u").test(value),
  minItems: (asked: number, value) => !Array.isArray(value) || value.length >= asked,
  maxItems: (asked: number, value) => !Array.isArray(value) || value.length <= asked,
  prefixItems: (asked: unknown[], value, _, check) =>
    !Array.isArray(value) || asked.slice(0, value.length).every((one, i) => !check(one, value[i])),
  items: (asked, value, { prefixItems = [] }, check) =>
    !Array.isArray(value) || value.slice((prefixItems as unknown[]).length).every((item) => !check(asked, item)),
  properties: (asked: Json, value, _, check) =>
    !isObject(value) ||
    Object.entries(asked).every(([name, one]) => !Object.hasOwn(value, name) || !check(one, value[name])),
  required: (asked: string[], value) => !isObject(value) || asked.every((name) => Object.hasOwn(value, name)),
  additionalProperties: (asked, value, { properties = {} }, check) =>
    !isObject(value) ||
    Object.entries(value).every(([name, one]) => Object.hasOwn(properties as Json, name) || !check(asked, one)),
  propertyNames: (asked, value, _, check) =>
    !isObject(value) || Object.keys(value).every((name) => !check(asked, name)),
  minProperties: (asked: number, value) => !isObject(value) || Object.keys(value).length >= asked,
  maxProperties: (asked: number, value) => !isObject(value) || Object.keys(value).length <= asked,
};
