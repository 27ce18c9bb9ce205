import { isIPv4, isIPv6 } from "node:net";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { InputError } from "../../src/error.ts";
import { schemaGrammar } from "../../src/grammar/json-schema.ts";
import { apart } from "../../src/grammar/schema.ts";
import { Random } from "../../src/tensor/random.ts";
import { compiler, randomText, takes } from "./bytewise.ts";
import { fault } from "./valid.ts";

const list = {
  $defs: {
    node: { type: "object", properties: { value: { type: "integer" }, next: { $ref: "#/$defs/end" } } },
    end: { anyOf: [{ $ref: "#/$defs/node" }, { type: "null" }] },
  },
  $ref: "#/$defs/node",
};
const shapes = {
  oneOf: [
    {
      type: "object",
      properties: { kind: { const: "circle" }, r: { type: "number", exclusiveMinimum: 0 } },
      required: ["kind", "r"],
    },
    { type: "object", properties: { kind: { enum: ["square", "cube"] }, a: { type: "integer" } }, required: ["kind"] },
    { type: "array", items: { $ref: "#" }, maxItems: 2 },
  ],
};

/** Schemas, and JSON texts that they take and do not take. */
const cases: [name: string, schema: object, right: string[], wrong: string[]][] = [
  [
    "anything",
    {},
    ["null", "[ 1 ]", '{"a": {}}', '"\\ud83d\\ude00"', "-1.5e-7"],
    ["", "nul", "[1,]", '"\\ud83d"', '"\t"', "01", "{} "],
  ],
  ["any object", { type: "object" }, ["{}", '{ "a": 1, "b": [2] }', '{\n  "a": 1\n}'], ["[]", '{"a"}', "{,}"]],
  ["any array", { type: "array" }, ["[]", '[1, "a", [true]]'], ["{}", "[1 2]"]],
  ["any string", { type: "string" }, ['""', '"é👍 \\" \\n \\u00e9"'], ["'a'", '"a', '"\u0001"', '"\\x"', '"\\u12"']],
  ["types", { type: ["string", "null"], minLength: 2 }, ['"ab"', "null"], ['"a"', "1"]],
  ["a type by its keywords", { minLength: 2 }, ['"ab"'], ['"a"', "1"]],
  [
    "lengths",
    { type: "string", minLength: 1, maxLength: 3 },
    ['"a"', '"👍é中"', '"\\"\\\\\\n"', '"\\ud83d\\ude00ab"'],
    ['""', '"abcd"', '"👍👍👍👍"'],
  ],
  ["least lengths", { type: "string", minLength: 2 }, ['"ab"', '"\\n\\nabc"'], ['""', '"a"', '"\\n"']],
  [
    "long lengths",
    { type: "string", minLength: 100, maxLength: 400 },
    [JSON.stringify("é".repeat(128)), JSON.stringify("a".repeat(383))],
    [JSON.stringify("a".repeat(99)), JSON.stringify("a".repeat(401))],
  ],
  [
    "exact lengths",
    { type: "string", minLength: 200, maxLength: 200 },
    [JSON.stringify("é".repeat(200))],
    [JSON.stringify("a".repeat(199)), JSON.stringify("a".repeat(201))],
  ],
  [
    "least long lengths",
    { type: "string", minLength: 150 },
    [JSON.stringify("é".repeat(192))],
    [JSON.stringify("a".repeat(149))],
  ],
  ["a pattern", { type: "string", pattern: "^[^x]{2,}$" }, ['"ab"', '"\\"\\\\"', '"é\\n"'], ['"a"', '"ax"', '"""']],
  ["constants", { const: { a: ['"', "é\n", null] } }, ['{"a":["\\"","é\\n",null]}'], ["{}", '{"a":["\\"","é\\n",1]}']],
  [
    "values",
    { enum: ["a", 1, null, true, "\ud83d"] },
    ['"a"', "1", "null", "true", '"\\ud83d"'],
    ['"b"', "2", "false"],
  ],
  ["values of a type", { enum: ["a", 1, 1.5, null], type: ["integer", "null"] }, ["1", "null"], ['"a"', "1.5"]],
  ["an integer", { type: "integer" }, ["0", "-7", "999999999999999"], ["1.0", "01", "1e3", "1000000000000000"]],
  ["integers within", { type: "integer", minimum: -5, exclusiveMaximum: 12 }, ["-5", "0", "11"], ["-6", "12", "1.5"]],
  ["a number", { type: "number" }, ["0", "-0.5", "1e9", "2.5E-3"], [".5", "1.", "1e100", "NaN"]],
  ["numbers above", { type: "number", exclusiveMinimum: 0 }, ["0.001", "1", "37.5"], ["0", "0.0", "-1"]],
  [
    "both bounds",
    { type: "number", minimum: 2, exclusiveMinimum: 2, maximum: 9, exclusiveMaximum: 10 },
    ["2.1", "9"],
    ["2", "9.1"],
  ],
  [
    "optional properties",
    { properties: { a: {}, b: { type: "null" }, c: { type: "boolean" } }, required: ["b"] },
    ['{"b":null}', '{"a":1,"b":null}', '{ "b": null, "c": true }', '{"a":[],"b":null,"c":false}'],
    ["{}", '{"a":1}', '{"b":null,"a":1}', '{"b":null,"d":1}', '{"b":null,}'],
  ],
  [
    "only optional properties",
    { type: "object", properties: { a: {}, b: {} } },
    ["{}", "{ }", '{"a":1}', '{"b":1}', '{"a":1,"b":2}'],
    ['{"b":1,"a":2}', '{"a":1,"a":2}', '{,"b":1}'],
  ],
  [
    "names to be escaped",
    { type: "object", properties: { 'a"b\\': { const: 1 }, "é\n": { const: 2 } }, required: ['a"b\\'] },
    ['{"a\\"b\\\\":1}', '{"a\\"b\\\\":1,"é\\n":2}'],
    ['{"a"b\\":1}'],
  ],
  [
    "required without a schema",
    { type: "object", properties: { a: false }, required: ["b"], additionalProperties: { type: "integer" } },
    ['{"b":1}'],
    ["{}", '{"b":"x"}', '{"a":1,"b":1}'],
  ],
  [
    "maps",
    {
      type: "object",
      propertyNames: { pattern: "^[a-z]+$" },
      additionalProperties: { type: "integer" },
      minProperties: 1,
      maxProperties: 2,
    },
    ['{"a":1}', '{"a":1,"b":2}'],
    ["{}", '{"A":1}', '{"a":"x"}', '{"a":1,"b":2,"c":3}'],
  ],
  [
    "names that are referred to",
    {
      type: "object",
      propertyNames: { $ref: "#/$defs/name" },
      $defs: { name: { anyOf: [{ $ref: "#/$defs/word" }, { enum: ["x", "Y", 1] }] }, word: { pattern: "^[a-c]+$" } },
      additionalProperties: { type: "array", items: { $ref: "#/$defs/word" } },
    },
    ["{}", '{"abc":["a"]}', '{"x":[],"Y":[]}'],
    ['{"z":[]}', '{"1":[]}', '{"a":["x"]}'],
  ],
  [
    "names of one type of some",
    { type: "object", propertyNames: { type: ["string", "null"], maxLength: 2 }, minProperties: 1 },
    ['{"ab":1}'],
    ["{}", '{"abc":1}'],
  ],
  ["names without a demand", { type: "object", propertyNames: { title: "name" } }, ["{}", '{"ab":1}'], ["{1:1}"]],
  ["no properties", { type: "object", additionalProperties: false }, ["{}", "{ }"], ['{"a":1}']],
  [
    "items",
    { type: "array", items: { type: "boolean" }, minItems: 1, maxItems: 3 },
    ["[true]", "[true, false,true]"],
    ["[]", "[1]", "[true,true,true,true]"],
  ],
  ["no items", { type: "array", items: false }, ["[]", "[ ]"], ["[1]"]],
  [
    "tuples",
    { type: "array", prefixItems: [{ const: 1 }, { type: "null" }], items: { type: "boolean" }, maxItems: 3 },
    ["[1,null]", "[1,null,true]"],
    ["[1]", "[]", "[null,1]", "[1,null,true,true]", "[1,null,2]"],
  ],
  ["tuples alone", { prefixItems: [{ const: 1 }], uniqueItems: false }, ["[1]"], ["[]", "[1,1]"]],
  ["one of a few", { anyOf: [{ type: "integer" }, { type: "string", maxLength: 1 }] }, ["12", '"a"'], ['"ab"', "null"]],
  [
    "one alone of a few",
    shapes,
    ['{"kind":"circle","r":0.5}', '{"kind":"cube"}', '[{"kind":"cube"}]'],
    ['{"kind":"circle","r":0}', '{"kind":"x"}'],
  ],
  ["all of one", { allOf: [{ $ref: "#/$defs/a" }], $defs: { a: { const: 1 } } }, ["1"], ["2"]],
  ["recursion", list, ["{}", '{"value":1,"next":{"value":2,"next":null}}'], ['{"next":{"value":null}}']],
  ["escaped pointers", { $ref: "#/$defs/a~1b~0%25", $defs: { "a/b~%": { const: 1 } } }, ["1"], ["2"]],
];

const refusal = (problem: string) => InputError.at("format", problem, { shown: "JSON schema" });

describe("schemaGrammar", () => {
  it.each(cases)("takes %s", async (_, schema, right, wrong) => {
    for (const text of right) {
      expect(fault(schema as never, JSON.parse(text)), text).toBeUndefined();
      expect(takes(await compiler.jsonSchema(schema), text), text).toBe(true);
    }
    for (const text of wrong) expect(takes(await compiler.jsonSchema(schema), text), text).toBe(false);
  });

  it.each(cases)("lets nothing through that is not valid: %s", async (_, schema) => {
    const random = new Random(5);
    for (let i = 0; i < 30; i++) {
      const text = randomText(await compiler.jsonSchema(schema), random);
      expect(fault(schema as never, JSON.parse(text)), text).toBeUndefined();
    }
  });

  const formats: Record<string, (text: string) => boolean> = {
    date: (text) => new Date(`${text}T00:00:00Z`).toISOString().startsWith(text),
    time: (text) => !Number.isNaN(Date.parse(`2024-01-01T${text.replace(/(\.\d{3})\d*/, "$1")}`)),
    "date-time": (text) => !Number.isNaN(Date.parse(text.replace(/(\.\d{3})\d*/, "$1"))),
    duration: (text) => /^P(?!$)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?$/.test(text),
    email: (text) => z.email({ pattern: z.regexes.html5Email }).safeParse(text).success,
    hostname: (text) => z.hostname().safeParse(text).success,
    ipv4: isIPv4,
    ipv6: isIPv6,
    uuid: (text) => z.guid().safeParse(text).success,
    uri: (text) => URL.canParse(text) || /^[a-z][a-z0-9+.-]+:\/\/[\w.-]+/.test(text),
  };
  it.each(Object.entries(formats))("knows the format %s", async (format, right) => {
    const random = new Random(6);
    for (let i = 0; i < 100; i++) {
      const text = JSON.parse(randomText(await compiler.jsonSchema({ type: "string", format }), random));
      expect(right(text), text).toBe(true);
    }
  });

  it("takes a choice that has itself", async () => {
    const schema = { anyOf: [{ $ref: "#" }, { type: "null" }] };
    expect(takes(await compiler.jsonSchema(schema), "null")).toBe(true);
    expect(takes(await compiler.jsonSchema(schema), "1")).toBe(false);
  });

  it("takes zod's schemas", async () => {
    const shape = z.object({
      id: z.uuid(),
      name: z.string().min(1).max(20),
      born: z.iso.date().optional(),
      size: z.number().positive().nullable(),
      count: z.int().default(1),
      role: z.enum(["a", "b"]),
      point: z.tuple([z.number(), z.number()]),
      scores: z.record(z.string(), z.number()),
      kind: z.discriminatedUnion("type", [
        z.object({ type: z.literal("x"), x: z.boolean() }),
        z.object({ type: z.literal("y") }),
      ]),
    });
    const random = new Random(7);
    for (let i = 0; i < 50; i++) {
      const text = randomText(await compiler.jsonSchema(z.toJSONSchema(shape)), random);
      expect(shape.safeParse(JSON.parse(text)).error?.message, text).toBeUndefined();
    }
  });

  it("takes choices that lead to each other, and objects that end", async () => {
    const { a, b } = { a: { anyOf: [{ $ref: "#/$defs/b" }, { type: "null" }] }, b: { allOf: [{ $ref: "#/$defs/a" }] } };
    expect(takes(await compiler.jsonSchema({ $ref: "#/$defs/b", $defs: { a, b } }), "null")).toBe(true);
    const tree = { type: "object", properties: { next: { type: ["object", "null"], required: ["next"] } } };
    expect(takes(await compiler.jsonSchema({ ...tree, required: ["next"] }), '{"next":null}')).toBe(true);
    const lists = { type: "array", items: { $ref: "#" } };
    expect(takes(await compiler.jsonSchema(lists), "[[],[[]]]")).toBe(true);
  });

  it("takes what is nested as deep as may be", async () => {
    let schema: object = { type: "string", pattern: `${"(".repeat(100)}a${")".repeat(100)}` };
    for (let i = 0; i < 49; i++) schema = { anyOf: [schema, { type: "boolean" }] };
    expect(takes(await compiler.jsonSchema(schema), '"a"')).toBe(true);
  });

  it("refuses what is nested deeper", () => {
    let schema: object = {};
    for (let i = 0; i < 50; i++) schema = { anyOf: [schema] };
    for (const wrong of [schema, { const: JSON.parse(`${"[".repeat(20_000)}${"]".repeat(20_000)}`) }]) {
      expect(() => schemaGrammar(wrong)).toThrow(refusal("is nested deeper than 100"));
    }
    const pattern = `${"(".repeat(101)}a${")".repeat(101)}`;
    expect(() => schemaGrammar({ type: "string", pattern })).toThrow(
      refusal("#/pattern: has groups nested deeper than 100, which a grammar cannot follow"),
    );
    const link = (i: number) => [`d${i}`, { properties: { a: { $ref: `#/$defs/d${i + 1}` } } }];
    const $defs = { ...Object.fromEntries(Array.from({ length: 99 }, (_, i) => link(i))), d99: {} };
    expect(() => schemaGrammar({ $ref: "#/$defs/d0", $defs })).toThrow(/is more than 200 steps from the root$/);
  });

  const oneself = { $ref: "#/$defs/a" };
  const mistakes: [schema: unknown, message: RegExp][] = [
    [3, /^JSON schema: #: must be an object, true or false; found 3$/],
    [false, /#: false allows nothing/],
    [{ type: "strin" }, /#\/type: must be of object, array, .*; found "strin"/],
    [{ type: [] }, /#\/type: must be of/],
    [
      { properties: { a: { type: "integer", multipleOf: 3 } } },
      /#\/properties\/a: multipleOf is not supported for integer; supported are minimum,/,
    ],
    [{ not: {} }, /not: not supported without a type/],
    [{ type: "object", patternProperties: {} }, /patternProperties is not supported for object/],
    [{ type: "object", if: {}, else: {} }, /if is not supported/],
    [{ type: "array", contains: {} }, /contains is not supported/],
    [{ type: "array", uniqueItems: true }, /uniqueItems is not supported/],
    [{ type: "array", items: [{}] }, /#\/items: is a list, which is prefixItems by now/],
    [{ type: "array", items: false, minItems: 1 }, /allows nothing: minItems 1, but items false/],
    [{ type: "array", minItems: 2, maxItems: 1 }, /maxItems 1 is less than minItems 2/],
    [{ type: "array", minItems: 1.5 }, /#\/minItems: must be a whole number from 0 to 10000; found 1.5/],
    [{ type: "string", maxLength: 1e9 }, /#\/maxLength: must be a whole number/],
    [{ type: "string", minLength: 950, maxLength: 960 }, /too near each other/],
    [{ type: "string", pattern: "a", minLength: 1 }, /a length beside pattern is not supported/],
    [{ type: "string", pattern: "(?=a)" }, /JSON schema: #\/pattern: .*looking ahead/],
    [{ type: "string", pattern: 3 }, /#\/pattern: must be a text; found 3/],
    [{ type: "string", format: "color" }, /#\/format: must be one of date, time, .*; found "color"/],
    [{ type: "string", format: "constructor" }, /#\/format/],
    [{ type: "string", format: ["date"] }, /#\/format: must be one of date, .*; found \["date"\]/],
    [{ type: "integer", minimum: "1" }, /#\/minimum: must be a number; found "1"/],
    [{ type: "integer", exclusiveMinimum: true }, /#\/exclusiveMinimum: must be a number/],
    [{ type: "integer", minimum: 0.2, maximum: 0.8 }, /no integer of at most 15 digits is within its bounds/],
    [{ enum: [] }, /#\/enum: must be a list that is not empty/],
    [{ enum: ["a"], type: "integer" }, /none of its values is of type integer/],
    [{ anyOf: [{}], properties: {} }, /anyOf beside properties is not supported; move one into the other/],
    [{ oneOf: [{ type: "integer" }, { type: "number" }] }, /#\/oneOf: 0 and 1 may both fit/],
    [{ oneOf: [{ enum: ["a", "b"] }, { const: "b" }] }, /may both fit/],
    [{ allOf: [{}, {}] }, /#\/allOf: more than one is not supported; merge them/],
    [{ $ref: "#/$defs/a" }, /\$ref #\/\$defs\/a: there is no \$defs/],
    [{ $ref: "http://x.y/z" }, /\$ref http:\/\/x.y\/z: must be # or begin with #\//],
    [{ $ref: "#" }, /\$ref # leads back to itself/],
    [{ $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } } }, /leads back to itself/],
    [{ properties: { a: 1 } }, /#\/properties\/a: must be an object, true or false; found 1/],
    [{ properties: [] }, /#\/properties: must be an object/],
    [{ type: "object", required: "a" }, /#\/required: must be a list of names/],
    [{ properties: {}, required: ["a"], additionalProperties: false }, /#\/properties\/a: false allows nothing/],
    [{ type: "object", minProperties: 2 }, /minProperties above 1 is not supported/],
    [{ properties: { a: {} }, minProperties: 1 }, /minProperties is above the 0 properties required/],
    [{ properties: { a: {}, b: {} }, maxProperties: 1 }, /maxProperties is below the 2 properties/],
    [{ properties: { a: {} }, propertyNames: {} }, /propertyNames is not supported where/],
    [{ typ: "object" }, /typ: not supported without a type/],
    [{ allOf: [{ $ref: "#" }] }, /^JSON schema: \$ref #: allows nothing: it leads back to itself without end$/],
    [{ anyOf: [{ $ref: "#" }, { allOf: [{ $ref: "#" }] }] }, /\$ref #: allows nothing/],
    [{ oneOf: [{ $ref: "#" }] }, /\$ref #: allows nothing/],
    [{ anyOf: [{ type: "null" }, oneself], $defs: { a: { anyOf: [oneself] } } }, /\$ref #\/\$defs\/a: allows nothing/],
    [
      { properties: { b: oneself }, $defs: { a: { properties: { c: oneself }, required: ["c"] } } },
      /\$defs\/a: allows/,
    ],
    [{ type: "array", items: { $ref: "#" }, minItems: 1 }, /\$ref #: allows nothing/],
    [{ type: "array", prefixItems: [{ $ref: "#" }] }, /\$ref #: allows nothing/],
    [{ type: "object", additionalProperties: { $ref: "#" }, minProperties: 1 }, /\$ref #: allows nothing/],
    [{ type: "object", propertyNames: oneself, $defs: { a: { allOf: [oneself] } } }, /\$defs\/a: allows nothing/],
    [{ type: "object", propertyNames: { type: "integer" } }, /#\/propertyNames\/type: must be string, .*"integer"/],
    [
      { type: "object", propertyNames: oneself, $defs: { a: { type: "null" } } },
      /#\/propertyNames\/\$ref\/type: must be/,
    ],
    [{ type: "object", propertyNames: { const: 1 } }, /#\/propertyNames: none of its values is of type string/],
    [{ type: "object", propertyNames: { const: 1, type: "integer" } }, /#\/propertyNames\/type: must be string/],
    [{ type: "object", propertyNames: { ...oneself, maxLength: 1 } }, /#\/propertyNames: \$ref beside maxLength/],
    [{ type: "object", propertyNames: 3 }, /#\/propertyNames: must be an object, true or false; found 3/],
    [{ oneOf: [{ const: { a: 1, b: { c: 2, d: 3 } } }, { enum: [{ b: { d: 3, c: 2 }, a: 1 }] }] }, /may both fit/],
    [
      { properties: Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`p${i}`, {}])) },
      /has more than 2000 parts/,
    ],
  ];
  it.each(mistakes)("refuses %j", (schema, message) => {
    const make = () => schemaGrammar(schema);
    expect(make).toThrow(InputError);
    expect(make).toThrow(message);
  });
});

it("compares schemas that lead back to themselves a bounded number of times", () => {
  const names = Array.from({ length: 20 }, (_, i) => `p${i}`);
  const node = {
    type: "object",
    required: names,
    properties: Object.fromEntries(names.map((name) => [name, { $ref: "#" }])),
  };
  let looks = 0;
  const find = () => {
    looks++;
    return node;
  };
  expect(apart(node, { ...node }, find)).toBe(false); // it is not shown, in 20 ** 8 pairs
  expect(looks).toBeLessThan(10_000);
});
