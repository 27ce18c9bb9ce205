// What a text that calls tools may be: calls in a form, of tools that there are, with arguments of their schemas.

import { describe, expect, test } from "vitest";
import { Random } from "../../src/tensor/random.ts";
import { ToolCallReader } from "../../src/text/tool-call-reader.ts";
import { compiler, randomText, takes } from "./bytewise.ts";

const city = {
  type: "object",
  properties: { city: { $ref: "#/$defs/city" } },
  required: ["city"],
  $defs: { city: { enum: ["Oslo", "Rome"] } },
};
const tools = [{ name: "weather", parameters: city }, { name: "time" }, { name: "zone", parameters: city }];
const base = { tools, several: true, beside: "nothing" } as const;
const oslo = '<tool_call>\n{"name": "weather", "arguments": {"city":"Oslo"}}\n</tool_call>';
const time = '<tool_call>\n{"name": "time", "arguments": {"a": [1]}}\n</tool_call>';
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
  ] as const)("%s", async (_, calls, right, wrong) => {
    for (const text of right) expect([text, takes(await compiler.toolCalls(calls), text)]).toEqual([text, true]);
    for (const text of wrong) expect([text, takes(await compiler.toolCalls(calls), text)]).toEqual([text, false]);
  });

  test.each(["hermes", "llama"] as const)("is read as it was written: random ones in the form %s", async (form) => {
    const random = new Random(7);
    const names = tools.map(({ name }) => name);
    for (let i = 0; i < 12; i++) {
      const reader = new ToolCallReader(form, names);
      const pieces = [...reader.push(randomText(await compiler.toolCalls({ ...base, form }), random)), ...reader.end()];
      expect(pieces.some((piece) => "text" in piece)).toBe(false);
      for (let call = 0; call < reader.calls; call++) {
        const given = pieces.flatMap((piece) => ("arguments" in piece && piece.call === call ? [piece.arguments] : []));
        expect(typeof JSON.parse(given.join(""))).toBe("object");
      }
      expect(reader.calls).toBeGreaterThan(0);
    }
  });

  test("names the tool whose schema is wrong", async () => {
    const wrong = { ...base, form: "hermes", tools: [tools[0], { name: "x", parameters: { type: "king" } }] } as const;
    await expect(compiler.toolCalls(wrong as never)).rejects.toMatchObject({ option: "tools[1].function.parameters" });
  });
});
