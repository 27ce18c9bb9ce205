// Calls of tools in texts: read as they come, however they are cut; and put into chats whose template knows no tools.

import { describe, expect, test } from "vitest";
import { ChatTemplate } from "../../src/text/chat-template.ts";
import { ToolCallReader } from "../../src/text/tool-call-reader.ts";
import { type ToolFormName, toolFormOf } from "../../src/text/tool-form.ts";

/** What is read of pieces: the text that is said, and the calls. */
function read(form: ToolFormName, pieces: readonly string[]) {
  const reader = new ToolCallReader(form, ["weather", "time"]);
  const calls: { name: string; arguments: string }[] = [];
  let text = "";
  for (const piece of [...pieces.flatMap((one) => reader.push(one)), ...reader.end()]) {
    if ("text" in piece) text += piece.text;
    else if ("name" in piece) {
      expect(piece.call).toBe(calls.length);
      calls.push({ name: piece.name, arguments: "" });
    } else (calls[piece.call] as (typeof calls)[number]).arguments += piece.arguments;
  }
  return { text, calls };
}

const rome = '{"city": "Ro\\"}me", "at": [{"h": 1}]}';
const call = (name: string, given: string, key = "arguments") => `{"name": "${name}", "${key}": ${given}}`;
const marked = (inside: string) => `<tool_call>\n${inside}\n</tool_call>`;
const weather = { name: "weather", arguments: rome };

const rows: [what: string, form: ToolFormName, text: string, said: string, calls: (typeof weather)[]][] = [
  ["a call", "hermes", marked(call("weather", rome)), "", [weather]],
  ["text and a call", "hermes", `Let me see. ${marked(call("weather", rome))}`, "Let me see.", [weather]],
  [
    "two calls",
    "hermes",
    `${marked(call("weather", rome))}\n${marked(call("time", "{}"))}\n`,
    "",
    [weather, { name: "time", arguments: "{}" }],
  ],
  ["text after a call", "hermes", `${marked(call("time", "{}"))} done`, " done", [{ name: "time", arguments: "{}" }]],
  [
    "arguments first",
    "hermes",
    marked(`{"arguments": {"a": 1}, "name": "time"}`),
    "",
    [{ name: "time", arguments: '{"a":1}' }],
  ],
  [
    "arguments as a text",
    "hermes",
    marked(`{"name": "time", "arguments": "{\\"a\\": 1}"}`),
    "",
    [{ name: "time", arguments: '{"a": 1}' }],
  ],
  ["no arguments", "hermes", marked(`{"name": "time"}`), "", [{ name: "time", arguments: "{}" }]],
  ["what is no call", "hermes", "<tool_call>\nnothing\n</tool_call> x", "<tool_call>\nnothing\n</tool_call> x", []],
  ["a call that ends early", "hermes", '<tool_call>\n{"name": "wea', '<tool_call>\n{"name": "wea', []],
  [
    "arguments that end early",
    "hermes",
    '<tool_call>\n{"name": "time", "arguments": {"a',
    "",
    [{ name: "time", arguments: '{"a' }],
  ],
  ["other tags", "hermes", "a < b <tool_cal> <b>c</b> <tool_", "a < b <tool_cal> <b>c</b> <tool_", []],
  ["spaces", "hermes", " a  b\n ", " a  b\n ", []],
  ["a call", "llama", call("weather", rome, "parameters"), "", [weather]],
  ["a marked call", "llama", `<|python_tag|>${call("weather", rome, "parameters")}`, "", [weather]],
  [
    "a typed call",
    "llama",
    `{"type": "function", "name": "time", "parameters": {}}`,
    "",
    [{ name: "time", arguments: "{}" }],
  ],
  [
    "two calls",
    "llama",
    `${call("weather", rome, "parameters")}; ${call("time", "{}", "parameters")}`,
    "",
    [weather, { name: "time", arguments: "{}" }],
  ],
  [
    "parameters first",
    "llama",
    `{"parameters": {"a": 1}, "name": "time"}`,
    "",
    [{ name: "time", arguments: '{"a":1}' }],
  ],
  ["another object", "llama", '{"answer": {"name": "time"}}', '{"answer": {"name": "time"}}', []],
  ["a tool that is none", "llama", call("other", "{}", "parameters"), call("other", "{}", "parameters"), []],
  ["text", "llama", `Here: ${call("time", "{}", "parameters")}`, `Here: ${call("time", "{}", "parameters")}`, []],
  ["nothing", "llama", "", "", []],
];

describe("calls are read", () => {
  test.each(rows)("%s (%s)", (_, form, text, said, calls) => {
    const expected = { text: said, calls };
    expect(read(form, [text])).toEqual(expected);
    expect(read(form, [...text])).toEqual(expected);
    for (let cut = 1; cut < text.length; cut++)
      expect(read(form, [text.slice(0, cut), text.slice(cut)])).toEqual(expected);
  });

  test("arguments come as they are written, text as soon as it is certain", () => {
    const reader = new ToolCallReader("hermes", ["time"]);
    expect(reader.push("so <tool")).toEqual([{ text: "so" }]);
    expect(reader.push('_call>{"name":"time","arguments":{"a"')).toEqual([
      { call: 0, name: "time" },
      { call: 0, arguments: '{"a"' },
    ]);
    expect(reader.push(":1")).toEqual([{ call: 0, arguments: ":1" }]);
    expect(reader.push("}}</tool_call>")).toEqual([{ call: 0, arguments: "}" }]);
    expect(reader.calls).toBe(1);
  });
});

describe("templates", () => {
  const tokens = { begin: "", end: "" };
  const tool = {
    type: "function" as const,
    function: {
      name: "weather",
      description: "tells it",
      parameters: {
        type: "object",
        properties: { city: { enum: ["Oslo", "Rome"] }, days: { type: "integer" }, at: { type: "array", items: {} } },
        required: ["city"],
      },
    },
  };
  const messages = [
    { role: "user", content: "Rome?" },
    {
      role: "assistant",
      content: "",
      tool_calls: [{ id: "1", type: "function" as const, function: { name: "weather", arguments: { city: "Rome" } } }],
    },
    { role: "tool", content: "sun", tool_call_id: "1" },
  ];

  test("say by what they contain how calls are spelled", () => {
    expect(toolFormOf("{% if tools %}<tool_call>{% endif %}")).toBe("hermes");
    expect(toolFormOf('{{ "<|python_tag|>" }}{"name": …, "parameters": …}')).toBe("llama");
    expect(toolFormOf("{{ messages }}")).toBe("hermes");
  });

  test("that know tools get them, with arguments as objects", () => {
    const source =
      "{% if tools is not none %}{% for t in tools %}[{{ t.function.name }}]{% endfor %}{% endif %}{% for m in messages %}{{ m.role }}:{{ m.content }}" +
      "{% if m.tool_calls %}{% for c in m.tool_calls %}{{ c.function.arguments.city }}{% endfor %}{% endif %};{% endfor %}";
    const template = new ChatTemplate(source, tokens);
    expect(template.render(messages, [tool])).toBe("[weather]user:Rome?;assistant:Rome;tool:sun;");
    expect(template.render(messages)).toBe("user:Rome?;assistant:Rome;tool:sun;");
  });

  test("that know none are told of them by the system's message", () => {
    const text = new ChatTemplate(undefined, tokens).render(
      [{ role: "system", content: "be brief" }, ...messages],
      [tool],
    );
    expect(text).toBe(
      'System: be brief\n\nTools:\nweather(city: "Oslo" | "Rome", days?: integer, at?: any[]): tells it\n' +
        'To call one: <tool_call>{"name": …, "arguments": {…}}</tool_call>\nUser: Rome?\n' +
        'Assistant: <tool_call>\n{"name":"weather","arguments":{"city":"Rome"}}\n</tool_call>\n' +
        "User: <tool_response>\nsun\n</tool_response>\nAssistant:",
    );
  });

  test("schemas that are odd are no failure", () => {
    const odd = [
      { required: 5 },
      { properties: null },
      { properties: { a: 5, b: { anyOf: [{ type: "null" }] } } },
      { type: 5 },
    ];
    for (const parameters of odd) {
      new ChatTemplate(undefined, tokens).render(messages, [{ type: "function", function: { name: "x", parameters } }]);
    }
  });
});
