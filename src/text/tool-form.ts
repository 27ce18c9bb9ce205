// How models spell calls of tools in their text. A form is a row of the table: grammars are written from it
// (grammar/tool-calls.ts), what a model writes is read by it (tool-call-reader.ts), and a template has the first whose sign
// it contains.

/** How arguments are written with tags: a pair around each name, and a pair around its value. */
export interface Tags {
  readonly name: readonly [string, string];
  readonly value: readonly [string, string];
}

/** How calls are spelled: `mark open (before name middle arguments after) close`. */
export interface ToolForm {
  /** What templates of it contain. */
  readonly sign: RegExp;
  /** What begins calls and nothing else; empty where calls are the whole text. */
  readonly mark: string;
  /** What follows the mark, and what ends what the mark began. */
  readonly open: string;
  readonly close: string;
  /** What stands around a call's name and its arguments. */
  readonly before: string;
  readonly middle: string;
  readonly after: string;
  /** How arguments are written: as JSON, as Python's keyword arguments, or with tags. */
  readonly arguments: "json" | "python" | Tags;
  /** What stands between two calls within one mark; undefined where it has one call. */
  readonly more?: string;
  /** What stands between two that are marked; undefined where a text has one. */
  readonly between?: string;
  /** What may stand before calls that no mark begins, and is no text. */
  readonly prefix?: string;
  /** The length of a call's id, of letters and digits, where templates want it so. */
  readonly idLength?: number;
}

const object = { before: '{"name": "', middle: '", "arguments": ', after: "}", arguments: "json" } as const;
const python = { before: "", middle: "(", after: ")", more: ", ", arguments: "python" } as const;
const deepSeek = {
  ...{ mark: "<｜tool▁calls▁begin｜>", open: "", close: "<｜tool▁calls▁end｜>", arguments: "json" as const },
  ...{ before: "<｜tool▁call▁begin｜>", middle: "<｜tool▁sep｜>", after: "<｜tool▁call▁end｜>", more: "" },
} as const;

/** The forms by name; those whose signs are rarer come first. */
export const toolForms = {
  /** `<|tool_call_start|>[name(key="value")]<|tool_call_end|>`: LFM2. */
  lfm: {
    ...python,
    sign: /<\|tool_call_start\|>/,
    mark: "<|tool_call_start|>",
    open: "[",
    close: "]<|tool_call_end|>",
  },
  /** `[name(key="value")]` as the whole text: Llama 3.2 and 4. */
  pythonic: {
    ...python,
    ...{ sign: /\[func_?(name)?_?1\(|<\|python_start\|>/, mark: "", open: "[", close: "]", prefix: "<|python_start|>" },
  },
  /** `<tool_call>name` and `<arg_key>key</arg_key><arg_value>value</arg_value>`: GLM 4.5 and later. */
  glm: {
    ...{ sign: /<arg_key>/, mark: "<tool_call>", open: "", close: "</tool_call>", between: "\n" },
    ...{ before: "", middle: "\n", after: "" },
    arguments: { name: ["<arg_key>", "</arg_key>\n"], value: ["<arg_value>", "</arg_value>\n"] },
  },
  /** `<tool_call><function=name>` and `<parameter=key>value</parameter>`: Qwen3-Coder and later. */
  coder: {
    ...{ sign: /<parameter=/, mark: "<tool_call>", open: "\n", close: "\n</tool_call>", between: "\n" },
    ...{ before: "<function=", middle: ">\n", after: "</function>" },
    arguments: { name: ["<parameter=", ">\n"], value: ["", "\n</parameter>\n"] },
  },
  /** `[TOOL_CALLS]name[ARGS]{…}`: Mistral, since its tokenizer's version 11. */
  mistralArgs: {
    ...{ sign: /\[ARGS\]/, mark: "[TOOL_CALLS]", open: "", close: "", between: "", idLength: 9 },
    ...{ before: "", middle: "[ARGS]", after: "", arguments: "json" },
  },
  /** `[TOOL_CALLS][{"name": …, "arguments": …}]`: Mistral before. */
  mistral: {
    ...{ ...object, sign: /\[TOOL_CALLS\]/, mark: "[TOOL_CALLS]", open: "[", close: "]", more: ", ", idLength: 9 },
  },
  /** `function`, the name, and the arguments between lines of three backticks: DeepSeek V3 and R1. */
  deepSeekFenced: {
    ...{ ...deepSeek, sign: /<｜tool▁sep｜>[\s\S]*```json/, more: "\n" },
    ...{
      before: `${deepSeek.before}function${deepSeek.middle}`,
      middle: "\n```json\n",
      after: `\n\`\`\`${deepSeek.after}`,
    },
  },
  /** The name and the arguments: DeepSeek V3.1. */
  deepSeek: { ...deepSeek, sign: /<｜tool▁sep｜>/ },
  /** `<tool_call>{"name": …, "arguments": …}</tool_call>`: Hermes, Qwen, and templates that have no form. */
  hermes: {
    ...{ ...object, sign: /<tool_call>/, mark: "<tool_call>", open: "\n", close: "\n</tool_call>", between: "\n" },
  },
  /** `{"name": …, "parameters": …}` as the whole text: Llama 3. */
  llama: {
    ...{ ...object, sign: /python_tag|ipython/, mark: "", open: "", close: "", prefix: "<|python_tag|>" },
    middle: '", "parameters": ',
  },
} as const satisfies Record<string, ToolForm>;

/** A form's name. */
export type ToolFormName = keyof typeof toolForms;

/** The form of a chat template, by what it contains. */
export function toolFormOf(template: string): ToolFormName {
  const found = Object.entries(toolForms).find(([, { sign }]) => sign.test(template));
  return (found?.[0] as ToolFormName | undefined) ?? "hermes";
}
