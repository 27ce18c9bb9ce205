// Values of a JSON schema, for tests that send what a description allows. Knows the keywords that ours has.

import fc from "fast-check";

interface Schema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly propertyNames?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
}

/** Values that a schema allows, small ones. */
export function valuesOf(schema: Schema): fc.Arbitrary<unknown> {
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return fc.oneof(...choices.map(valuesOf));
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if ("const" in schema) return fc.constant(schema.const);
  switch (schema.type) {
    case "boolean":
      return fc.boolean();
    case "integer":
      return fc.integer({ min: schema.minimum ?? 0, max: Math.min(schema.maximum ?? 40, 2 ** 31) });
    case "number": {
      const least = schema.minimum ?? schema.exclusiveMinimum ?? -1e6;
      return fc.double({
        min: least,
        max: schema.maximum ?? 1e6,
        minExcluded: schema.minimum === undefined,
        noNaN: true,
      });
    }
    case "string":
      if (schema.pattern) return fc.stringMatching(new RegExp(schema.pattern));
      return fc.string({
        minLength: schema.minLength ?? 0,
        maxLength: Math.min(schema.maxLength ?? 30, 30),
        unit: "grapheme",
      });
    case "array":
      return fc.array(valuesOf(schema.items ?? {}), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 3, 3),
      });
    case "object": {
      const { properties = {}, required = [], additionalProperties: more, propertyNames } = schema;
      const members = Object.fromEntries(Object.entries(properties).map(([name, member]) => [name, valuesOf(member)]));
      if (Object.keys(members).length > 0) return fc.record(members, { requiredKeys: [...required] });
      if (typeof more !== "object" || Object.keys(more).length === 0) return fc.constant({});
      return fc.dictionary(valuesOf(propertyNames ?? { type: "string" }) as fc.Arbitrary<string>, valuesOf(more), {
        maxKeys: 3,
      });
    }
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}
