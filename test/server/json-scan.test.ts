// What is told of a JSON body before it is read: as much as one finds who reads it and counts.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { packed } from "../../src/server/json-body.ts";
import { mostSchemaValues, mostValues, scanned } from "../../src/server/json-scan.ts";

const scan = (text: string) => scanned(new TextEncoder().encode(text)).tooMuch;

/** Values in a value, itself one; numbers in lists are none where `ids` is set. */
function count(value: unknown, ids: boolean): number {
  if (typeof value !== "object" || value === null) return 1;
  const isList = Array.isArray(value);
  const members = Object.values(value).filter((member) => !(ids && isList && typeof member === "number"));
  return members.reduce<number>((sum, member) => sum + count(member, ids), 1);
}

describe("a body", () => {
  test("has as many values as a reader finds, whatever its texts and keys hold", () => {
    const odd = fc.constantFrom("a", '"', "\\", '\\"', "[", "}", ",", ":", '{"a":1,', "é🎈", "\\\\", "");
    const text = fc.array(odd, { maxLength: 4 }).map((parts) => parts.join(""));
    const value = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        text,
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.constantFrom(true, false, null),
        fc.array(tie("value"), { maxLength: 6 }),
        fc.dictionary(text, tie("value"), { maxKeys: 6, noNullPrototype: true }),
      ),
    })).value;
    const property = fc.property(value, fc.constantFrom("stop", "prompt"), fc.nat(2), (inside, field, indent) => {
      const own = count(inside, field === "prompt");
      // So many more that the limit is just kept, and just passed.
      const filled = (more: number) =>
        JSON.stringify({ [field]: inside, more: Array(mostValues - own - 1 + more).fill("x") }, undefined, indent);
      expect(scan(filled(0))).toBeUndefined();
      expect(scan(filled(1))).toEqual({ field: "more", problem: `the request has more than ${mostValues} values` });
    });
    fc.assert(property, { numRuns: 200, seed: 7 });
  });

  test.each(["response_format", "json_schema", "tools", "guided_json", "structured_outputs"])(
    "may have more where schemas are: %s",
    (field) => {
      const of = (values: number) =>
        `{"${field}":[${Array(values - 1)
          .fill("{}")
          .join(",")}]}`;
      expect(scan(of(mostSchemaValues))).toBeUndefined();
      expect(scan(of(mostSchemaValues + 1))).toEqual({ field, problem: `has more than ${mostSchemaValues} values` });
    },
  );

  test("names the field in which it is too deep, by its key as it is meant", () => {
    const deep = (levels: number) => `{"a":1,"pr\\u006fmpt" : ${"[".repeat(levels)}${"]".repeat(levels)}}`;
    expect(scan(deep(99))).toBeUndefined();
    expect(scan(deep(100))).toEqual({ field: "prompt", problem: "is nested deeper than 100 levels" });
    expect(scan(`${"[".repeat(1000)}`)).toMatchObject({ field: "body" });
  });

  test.each(["", "{", '{"', '{"a', '{"a":', "]]]]", '"\\', "{]}", "\u0000", '{"a":"b\\"}', "nul", "{,,,,}"])(
    "that is no JSON is not too much: %j",
    (text) => expect(scan(text)).toBeUndefined(),
  );

  test("has its token ids packed, and of what is none the first", () => {
    const ids = Array.from({ length: 300 }, (_, i) => i);
    expect(packed({ prompt: ids })).toEqual({ prompt: Uint32Array.from(ids) });
    expect(packed({ prompt: [ids, [1]] })).toEqual({ prompt: [Uint32Array.from(ids), [1]] });
    for (const wrong of [-1, 0.5, 2 ** 32, "x", null]) {
      expect(packed({ prompt: [...ids, wrong, -7] })).toEqual({ prompt: [wrong] });
    }
    expect(packed({ stop: ["a"], n: 1, prompt: "x" })).toEqual({ stop: ["a"], n: 1, prompt: "x" });
  });
});
