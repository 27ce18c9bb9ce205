// What a text that calls tools may be: calls in a form, of tools that there are, with arguments of their schemas.

import { describe, expect, test } from "vitest";
import { Random } from "../../src/tensor/random.ts";
import { ToolCallReader } from "../../src/text/tool-call-reader.ts";
import { type ToolFormName, toolForms } from "../../src/text/tool-form.ts";
import { compiler, randomText, takes } from "./bytewise.ts";
import { fault } from "./valid.ts";

const city = {
  type: "object",
  properties: { city: { $ref: "#/$defs/city" } },
  required: ["city"],
  $defs: { city: { enum: ["Oslo", "Rome"] } },
};
const tools = [{ name: "weather", parameters: city }, { name: "time" }, { name: "zone", parameters: city }];
const various = [
  ...tools,
  {
    name: "search",
    parameters: {
      type: "object",
      properties: {
        query: { type: "string" },
        kind: { enum: ["a", "b<c"] },
        limit: { type: "integer", minimum: 1, maximum: 20 },
        exact: { type: ["boolean", "null"] },
        code: { type: "string", pattern: "^[A-Z]{2}$" },
        short: { type: "string", maxLength: 3 },
        where: { type: "array", items: { $ref: "#/$defs/place" }, maxItems: 2 },
        either: { anyOf: [{ const: true }, { type: "object", properties: { x: { type: "null" } } }] },
      },
      required: ["limit", "where"],
      additionalProperties: false,
      $defs: { place: { type: "object", properties: { name: { type: "string" }, open: { const: false } } } },
    },
  },
  { name: "none", parameters: { type: "object", properties: {}, additionalProperties: false } },
];
const base = { tools, several: true, beside: "nothing" } as const;
const oslo = '<tool_call>\n{"name": "weather", "arguments": {"city":"Oslo"}}\n</tool_call>';
const time = '<tool_call>\n{"name": "time", "arguments": {"a": [1]}}\n</tool_call>';
const coder = "<tool_call>\n<function=weather>\n<parameter=city>\nOslo\n</parameter>\n</function>\n</tool_call>";
const glm = "<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n</tool_call>";
const mistral = '[TOOL_CALLS][{"name": "weather", "arguments": {"city":"Oslo"}}]';
const mistralArgs = '[TOOL_CALLS]weather[ARGS]{"city":"Oslo"}';
const lfm = '<|tool_call_start|>[weather(city="Oslo"), time(a=True, b=[None])]<|tool_call_end|>';
const python = lfm.slice(19, -17);
const deepSeek =
  '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{"city":"Oslo"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>';
const llama = '{"name": "weather", "parameters": {"city":"Oslo"}}';

describe("a text that calls tools", () => {
  test.each([
    [
      "hermes, forced",
      { ...base, form: "hermes" },
      [oslo, time, `${oslo}\n${time}`],
      ["", "so", `so ${oslo}`, oslo.replace("Oslo", "Bonn"), oslo.replace("weather", "other"), `${oslo} `],
    ],
    ["one alone", { ...base, form: "hermes", several: false }, [oslo], [`${oslo}\n${oslo}`]],
    [
      "among text",
      { ...base, form: "hermes", beside: "text" },
      ["", "so <b> <tool_cal <<", oslo, `é ${oslo} and ${time}!`, "<tool_<tool_call"],
      [oslo.replace("Oslo", "Bonn"), `<${oslo.replace("Oslo", "Bonn")}`, "<tool_call>", `${oslo}<tool_call>`],
    ],
    ["one among text", { ...base, form: "hermes", several: false, beside: "text" }, [`so ${oslo}`], [`${oslo}${oslo}`]],
    [
      "or JSON",
      { ...base, form: "hermes", beside: { jsonSchema: { type: "boolean" } } },
      ["true", oslo],
      ["so", `true${oslo}`],
    ],
    [
      "llama, forced",
      { ...base, form: "llama" },
      [llama],
      [oslo, `${llama}; ${llama}`, llama.replace("parameters", "arguments")],
    ],
    [
      "llama, among text",
      { ...base, form: "llama", beside: "text" },
      ["", "so {", llama],
      ["{", '{"a": 1}', llama.replace("Oslo", "Bonn")],
    ],
    [
      "llama, several or JSON",
      { ...base, form: "llama", beside: { jsonSchema: { type: "array" } } },
      ["[1]", llama],
      ["so", "{}"],
    ],
    [
      "coder",
      { ...base, form: "coder" },
      [coder, `${coder}\n${coder}`],
      [coder.replace("Oslo", "Bonn"), `${coder}${coder}`],
    ],
    [
      "coder, among text",
      { ...base, form: "coder", beside: "text" },
      ["so <a", `so ${coder}`],
      [`so ${coder.replace("</function>", "")}`],
    ],
    [
      "glm",
      { ...base, form: "glm" },
      [glm, `${glm}\n${glm}`],
      [glm.replace("Oslo", "Bonn"), glm.replace("city", "town")],
    ],
    [
      "mistral",
      { ...base, form: "mistral" },
      [mistral, mistral.replace("}]", '}, {"name": "time", "arguments": {}}]')],
      [mistral.replace("[{", "{"), `${mistral}${mistral}`, mistral.replace("Oslo", "Bonn")],
    ],
    [
      "mistral, one",
      { ...base, form: "mistral", several: false },
      [mistral],
      [mistral.replace("]", `, ${mistral.slice(13)}`)],
    ],
    [
      "mistral, among text",
      { ...base, form: "mistral", beside: "text" },
      ["so [TOOL", `so ${mistral}`],
      ["[TOOL_CALLS]", `so ${mistral.replace("Oslo", "Bonn")}`],
    ],
    [
      "mistralArgs",
      { ...base, form: "mistralArgs" },
      [mistralArgs, `${mistralArgs}${mistralArgs}`],
      [`${mistralArgs} `, mistral],
    ],
    [
      "python",
      { ...base, form: "pythonic" },
      [python],
      [lfm, python.replace("True", "true"), python.replace("Oslo", "Bonn")],
    ],
    [
      "python, among text",
      { ...base, form: "pythonic", beside: "text" },
      ["so [weather(", python],
      [" so", python.replace("Oslo", "Bonn")],
    ],
    ["python, marked", { ...base, form: "lfm" }, [lfm], [python]],
    [
      "python, marked, among text",
      { ...base, form: "lfm", beside: "text" },
      [lfm, `<| so${lfm}`],
      [`so ${lfm.replace("Oslo", "x")}`],
    ],
    ["deepSeek", { ...base, form: "deepSeek" }, [deepSeek], [`${deepSeek}a`, deepSeek.replace("Oslo", "Bonn")]],
    [
      "deepSeek, among text",
      { ...base, form: "deepSeek", beside: "text" },
      ["so <", `<b> é ${deepSeek} so`],
      [deepSeek.replace("Oslo", "Bonn"), "<｜tool▁calls▁begin｜>"],
    ],
  ] as const)("%s", async (_, calls, right, wrong) => {
    for (const text of right) expect([text, takes(await compiler.toolCalls(calls), text)]).toEqual([text, true]);
    for (const text of wrong) expect([text, takes(await compiler.toolCalls(calls), text)]).toEqual([text, false]);
  });

  test.each(Object.keys(toolForms) as ToolFormName[])("is read as it was written: random ones in %s", async (form) => {
    const random = new Random(7);
    for (let i = 0; i < 8; i++) {
      const reader = new ToolCallReader(form, various);
      const text = randomText(await compiler.toolCalls({ ...base, tools: various, form }), random);
      const pieces = [...[...text].flatMap((one) => reader.push(one)), ...reader.end()];
      expect(pieces.filter((piece) => "text" in piece)).toEqual([]);
      expect(reader.calls).toBeGreaterThan(0);
      for (let call = 0; call < reader.calls; call++) {
        const own = pieces.filter((piece) => "call" in piece && piece.call === call);
        const name = own.flatMap((piece) => ("name" in piece ? [piece.name] : []))[0];
        const given = own.flatMap((piece) => ("arguments" in piece ? [piece.arguments] : [])).join("");
        const { parameters = {} } = various.find((tool) => tool.name === name) as (typeof various)[number];
        expect([text, fault(parameters, JSON.parse(given))]).toEqual([text, undefined]);
      }
    }
  });

  test.each([
    ["coder", "#/properties/a-<b", { properties: { "a-<b": {} } }],
    ["pythonic", "#/properties/a-b", { properties: { "a-b": {} } }],
    ["glm", "#: anyOf", { anyOf: [{ type: "object" }] }],
    ["coder", "#/properties/a/type", { properties: { a: { type: "king" } } }],
  ] as const)("says what a form cannot write: %s, %s", async (form, place, parameters) => {
    const calls = { ...base, form, tools: [{ name: "x", parameters }] };
    await expect(compiler.toolCalls(calls)).rejects.toThrow(place);
  });

  test("names the tool whose schema is wrong", async () => {
    const wrong = { ...base, form: "hermes", tools: [tools[0], { name: "x", parameters: { type: "king" } }] } as const;
    await expect(compiler.toolCalls(wrong as never)).rejects.toMatchObject({ option: "tools[1].function.parameters" });
  });
});
