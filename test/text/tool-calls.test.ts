// Calls of tools in texts: read as they come, however they are cut; and put into chats whose template knows no tools.

import { describe, expect, test } from "vitest";
import { ChatTemplate } from "../../src/text/chat-template.ts";
import { ToolCallReader } from "../../src/text/tool-call-reader.ts";
import { type ToolFormName, toolFormOf } from "../../src/text/tool-form.ts";

const known = [
  {
    name: "weather",
    parameters: {
      properties: {
        city: { type: "string" },
        days: { type: "integer" },
        at: { $ref: "#/$defs/at" },
        note: { anyOf: [{ type: "string" }, { type: "null" }] },
      },
      $defs: { at: { type: "array" } },
    },
  },
  { name: "time" },
];

/** What is read of pieces: the text that is said, and the calls. */
function read(form: ToolFormName, pieces: readonly string[]) {
  const reader = new ToolCallReader(form, known);
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
  ["a call", "mistral", `[TOOL_CALLS][${call("weather", rome)}]`, "", [weather]],
  ["text, spaces and a call", "mistral", `So: [TOOL_CALLS] [${call("weather", rome)}]`, "So:", [weather]],
  [
    "two calls with ids",
    "mistral",
    `[TOOL_CALLS] [{"name": "weather", "arguments": ${rome}, "id": "]},{12"}, ${call("time", "{}")}]`,
    "",
    [weather, { name: "time", arguments: "{}" }],
  ],
  ["no list", "mistral", "[TOOL_CALLS] time", "[TOOL_CALLS] time", []],
  ["a call", "mistralArgs", `[TOOL_CALLS]weather[ARGS]${rome}`, "", [weather]],
  [
    "text and two calls",
    "mistralArgs",
    `Let me see.[TOOL_CALLS]weather[ARGS]${rome}[TOOL_CALLS]time[ARGS] {}`,
    "Let me see.",
    [weather, { name: "time", arguments: "{}" }],
  ],
  ["no arguments", "mistralArgs", "[TOOL_CALLS]time done", "[TOOL_CALLS]time done", []],
  [
    "a call",
    "coder",
    '<tool_call>\n<function=weather>\n<parameter=city>\nRo"<m\n\ne\n</parameter>\n<parameter=days>\n3\n</parameter>\n' +
      '<parameter=at>\n[{"a": 1}]\n</parameter>\n<parameter=more>\ntrue</parameter>\n</function>\n</tool_call>',
    "",
    [{ name: "weather", arguments: '{"city": "Ro\\"<m\\n\\ne", "days": 3, "at": [{"a": 1}], "more": true}' }],
  ],
  [
    "texts that could be more",
    "coder",
    "Well.\n<tool_call>\n<function=weather>\n<parameter=city>\n12\n</parameter>\n<parameter=note>\n12\n</parameter>\n</function>\n</tool_call>" +
      "\n<tool_call>\n<function=weather>\n<parameter=note>\nnull\n</parameter>\n<parameter=days>\nNone\n</parameter>\n</function>\n</tool_call>\n",
    "Well.",
    [
      { name: "weather", arguments: '{"city": "12", "note": "12"}' },
      { name: "weather", arguments: '{"note": null, "days": "None"}' },
    ],
  ],
  [
    "no arguments",
    "coder",
    "<tool_call>\n<function=time>\n</function>\n</tool_call>",
    "",
    [{ name: "time", arguments: "{}" }],
  ],
  [
    "arguments that end early",
    "coder",
    "<tool_call>\n<function=weather>\n<parameter=city>\nRom</par",
    "",
    [{ name: "weather", arguments: '{"city": "Rom</par' }],
  ],
  ["no function", "coder", "<tool_call>\n<fun> x", "<tool_call>\n<fun> x", []],
  [
    "a call",
    "glm",
    "<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value> Rome\n</arg_value>\n<arg_key>days</arg_key><arg_value>3</arg_value></tool_call>",
    "",
    [{ name: "weather", arguments: '{"city": " Rome\\n", "days": 3}' }],
  ],
  [
    "two calls",
    "glm",
    "ok <tool_call>time\n</tool_call>\n<tool_call>time</tool_call>",
    "ok",
    [
      { name: "time", arguments: "{}" },
      { name: "time", arguments: "{}" },
    ],
  ],
  [
    "a call",
    "pythonic",
    "[weather(city='Rome', days=3)]",
    "",
    [{ name: "weather", arguments: '{"city": "Rome", "days": 3}' }],
  ],
  [
    "values of all kinds",
    "pythonic",
    `[weather(a=True, b=[None, False,], c={'x': (1,), "y": -1.5e3, 2: .5}, d='it\\'s "so"\\x41\\n', e=1_000, f="", g="""a"b"""), time()]`,
    "",
    [
      {
        name: "weather",
        arguments:
          '{"a": true, "b": [null, false], "c": {"x": [1], "y": -1.5e3, "2": 0.5}, "d": "it\'s \\"so\\"A\\n", "e": 1000, "f": "", "g": "a\\"b"}',
      },
      { name: "time", arguments: "{}" },
    ],
  ],
  [
    "a marked call",
    "pythonic",
    "<|python_start|>[time()]<|python_end|>",
    "<|python_end|>",
    [{ name: "time", arguments: "{}" }],
  ],
  ["a list", "pythonic", "[1, 2]", "[1, 2]", []],
  ["a tool that is none", "pythonic", "[other(a=1)]", "[other(a=1)]", []],
  ["arguments without names", "pythonic", "[time(5)]", "[time(5)]", []],
  ["text", "pythonic", "So: [time()]", "So: [time()]", []],
  [
    "text and calls",
    "lfm",
    "So:<|tool_call_start|>[time(), time(a='b')]<|tool_call_end|> done",
    "So: done",
    [
      { name: "time", arguments: "{}" },
      { name: "time", arguments: '{"a": "b"}' },
    ],
  ],
  [
    "two calls",
    "deepSeek",
    `a<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>${rome}<｜tool▁call▁end｜><｜tool▁call▁begin｜>time<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>`,
    "a",
    [weather, { name: "time", arguments: "{}" }],
  ],
  [
    "two calls",
    "deepSeekFenced",
    `<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n\`\`\`json\n${rome}\n\`\`\`<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>time\n\`\`\`json\n{}\n\`\`\`<｜tool▁call▁end｜><｜tool▁calls▁end｜>`,
    "",
    [weather, { name: "time", arguments: "{}" }],
  ],
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
    const reader = new ToolCallReader("hermes", [{ name: "time" }]);
    expect(reader.push("so <tool")).toEqual([{ text: "so" }]);
    expect(reader.push('_call>{"name":"time","arguments":{"a"')).toEqual([
      { call: 0, name: "time" },
      { call: 0, arguments: '{"a"' },
    ]);
    expect(reader.push(":1")).toEqual([{ call: 0, arguments: ":1" }]);
    expect(reader.push("}}</tool_call>")).toEqual([{ call: 0, arguments: "}" }]);
    expect(reader.calls).toBe(1);
  });

  test.each([
    ["coder", "<tool_call>\n<function=weather>\n<parameter=city>\nOs", '{"city": "Os'],
    ["glm", "<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Os", '{"city": "Os'],
    ["pythonic", "[weather(days=3, city='Os", '{"days": 3, "city": "Os'],
    ["mistral", '[TOOL_CALLS][{"name": "weather", "arguments": {"city": "Os', '{"city": "Os'],
    ["mistralArgs", '[TOOL_CALLS]weather[ARGS]{"city": "Os', '{"city": "Os'],
  ] as const)("texts in arguments come as they are written (%s)", (form, written, told) => {
    const pieces = new ToolCallReader(form, known).push(written);
    expect(pieces.map((piece) => ("arguments" in piece ? piece.arguments : "")).join("")).toBe(told);
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
    for (const [text, form] of [
      ["{% if tools %}<tool_call>{% endif %}", "hermes"],
      ['{{ "<|python_tag|>" }}{"name": …, "parameters": …}', "llama"],
      ["Environment: ipython … [func_name1(params_name1=params_value1), func_name2(params)]", "pythonic"],
      ["[func_name1(param1=value1, param2=value2), func_name2(...)] … <|python_start|>", "pythonic"],
      ["<|tool_call_start|>[", "lfm"],
      ["<tool_call>\n<function=example_function_name>\n<parameter=example_parameter_1>", "coder"],
      ["<tool_call>{function-name}\n<arg_key>{arg-key-1}</arg_key>", "glm"],
      ["[AVAILABLE_TOOLS] … [TOOL_CALLS] [", "mistral"],
      ["[TOOL_CALLS]' + name + '[ARGS]' + arguments", "mistralArgs"],
      ["<｜tool▁calls▁begin｜> … <｜tool▁sep｜> … ```json", "deepSeekFenced"],
      ["<｜tool▁calls▁begin｜> … <｜tool▁sep｜>", "deepSeek"],
    ] as const) {
      expect([text, toolFormOf(text)]).toEqual([text, form]);
    }
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

  test("know what a request adds, but for their own names", () => {
    const source =
      "{{ bos_token }}{% if thinking is defined and not thinking %}short:{% endif %}{{ messages[0].content }}";
    const template = new ChatTemplate(source, { begin: "<s>", end: "" });
    expect(template.render(messages, [], { thinking: false, bos_token: "x", messages: [] })).toBe("<s>short:Rome?");
    expect(template.render(messages)).toBe("<s>Rome?");
  });

  test("that know none are told of them by the system's message", () => {
    const text = new ChatTemplate(undefined, tokens).render(
      [{ role: "system", content: "be brief" }, ...messages],
      [tool],
    );
    expect(text).toBe(
      'System: be brief\n\nTools:\nweather(city: "Oslo" | "Rome", days?: integer, at?: any[]): tells it\n' +
        'To call one: <tool_call>{"name": …, "arguments": {…}}</tool_call>\nUser: Rome?\n' +
        'Assistant: <tool_call>\n{"name": "weather", "arguments": {"city":"Rome"}}\n</tool_call>\n' +
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
