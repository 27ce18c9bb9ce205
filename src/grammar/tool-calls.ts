// Texts that call tools, as grammars: calls alone, or text in which every call is a right one. Knows no tokens.

import { InputError } from "../error.ts";
import { type ToolForm, type ToolFormName, toolForms } from "../text/tool-form.ts";
import { choice, quoted } from "./characters.ts";
import { jsonRules } from "./json-scalars.ts";
import { schemaRules } from "./json-schema.ts";

/** A tool that may be called. */
export interface CallableTool {
  readonly name: string;
  /** A JSON schema of its arguments; an object of any kind if not given. */
  readonly parameters?: object;
}

/** What a text may call. */
export interface ToolCalls {
  readonly form: ToolFormName;
  readonly tools: readonly CallableTool[];
  /** Whether it may call several times. */
  readonly several: boolean;
  /** What else it may say: nothing, any text around its calls, or JSON of a schema instead. */
  readonly beside: "nothing" | "text" | { readonly jsonSchema: object };
}

/** xgrammar's EBNF of such texts. @throws InputError naming the tool whose schema no grammar can follow. */
export function toolCallsGrammar({ form: formName, tools, several, beside }: ToolCalls): string {
  const form: ToolForm = toolForms[formName];
  const rules = tools.map(({ parameters }, i) => argumentRules(parameters, i));
  const calls = tools.map(({ name }, i) => {
    return `${quoted(`{"name": ${JSON.stringify(name)}, ${JSON.stringify(form.argumentsKey)}: `)} t${i} "}"`;
  });
  const mark = form.open.trim();
  const marked = [form.open.slice(mark.length), form.close].map((text) => (text === "" ? "" : quoted(text)));
  rules.push(`marked ::= ${marked[0]} ${choice(calls)} ${marked[1]}`);
  rules.push(`call ::= ${mark === "" ? "" : quoted(mark)} marked`);
  const more = several && form.between !== undefined ? ` (${quoted(form.between)} call)*` : "";
  if (beside === "nothing") rules.push(`root ::= call${more}`);
  else if (beside === "text") rules.push(...textRules(form, several));
  else rules.push(schemaRules(beside.jsonSchema, "instead"), `root ::= call${more} | instead`);
  return `${rules.join("\n")}${jsonRules}`;
}

function argumentRules(parameters: object | undefined, i: number): string {
  try {
    return schemaRules(parameters ?? { type: "object" }, `t${i}`);
  } catch (error) {
    if (!(error instanceof InputError) || error.problem === undefined) throw error;
    const option = `tools[${i}].function.parameters`;
    throw InputError.at(option, error.problem, { cause: error });
  }
}

/** Text with calls in it: where a mark begins calls, it begins nothing else; elsewhere, a text that is no call begins otherwise. */
function textRules({ open }: ToolForm, several: boolean): string[] {
  const mark = open.trim();
  if (mark === "") return ["root ::= call | ([^{ \\t\\r\\n] [^\\0]*)?"];
  // A state for how much of the mark has come; its first character is nowhere else in it.
  const first = mark[0] as string;
  const states = Array.from(mark, (next, matched) => {
    if (matched === 0) return `text0 ::= ${but(first)}* (${quoted(first)} text1)?`;
    const others = `"" | ${quoted(first)} text1 | ${but(first, next)} text0`;
    const onward = matched + 1 < mark.length ? `text${matched + 1}` : `marked ${several ? "text0" : ""}`;
    return `text${matched} ::= ${others} | ${quoted(next)} ${onward}`;
  });
  return ["root ::= text0", ...states];
}

/** Any character but these. */
function but(...characters: string[]): string {
  return `[^${characters.map((one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, "0")}`).join("")}]`;
}
