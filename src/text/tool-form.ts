// How models spell calls of tools in their text. A form is a row of the table: grammars are written from it
// (grammar/tool-calls.ts) and what a model writes is read by it (tool-call-reader.ts).

/** How calls are spelled. */
export interface ToolForm {
  /** What stands before a call, and after it. */
  readonly open: string;
  readonly close: string;
  /** What stands between two calls; undefined where there is one at most. */
  readonly between: string | undefined;
  /** What a call names its arguments. */
  readonly argumentsKey: "arguments" | "parameters";
  /** What may stand before the first call, and is no text. */
  readonly mark: string;
}

/** The forms by name. */
export const toolForms = {
  /** `<tool_call>{"name": …, "arguments": …}</tool_call>`: Hermes, Qwen, and templates that have no form. */
  hermes: {
    open: "<tool_call>\n",
    close: "\n</tool_call>",
    between: "\n",
    argumentsKey: "arguments",
    mark: "",
  },
  /** `{"name": …, "parameters": …}` as the whole text: Llama 3. */
  llama: { open: "", close: "", between: undefined, argumentsKey: "parameters", mark: "<|python_tag|>" },
} as const satisfies Record<string, ToolForm>;

/** A form's name. */
export type ToolFormName = keyof typeof toolForms;

/** The form of a chat template, by what it contains. */
export function toolFormOf(template: string): ToolFormName {
  if (template.includes("<tool_call>")) return "hermes";
  return /python_tag|ipython/.test(template) ? "llama" : "hermes";
}
