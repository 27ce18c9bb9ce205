// Texts that call tools, as grammars: calls alone, or text in which every call is a right one. Knows no tokens.

import { InputError } from "../error.ts";
import { type ToolForm, type ToolFormName, toolForms } from "../text/tool-form.ts";
import { choice, quoted } from "./characters.ts";
import { jsonRules, pythonRules } from "./json-scalars.ts";
import { schemaRules } from "./json-schema.ts";
import { argumentsRules, textUntil } from "./tool-arguments.ts";

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
  const { mark, open, close, before, middle, after, between, more } = form;
  const rules = tools.map(({ parameters }, i) => rulesOf(parameters, i, form));
  const calls = tools.map(({ name }, i) => sequence(literal(before + name + middle), `t${i}`, literal(after)));
  const another = (between: string | undefined, rule: string) =>
    several && between !== undefined ? ` (${sequence(literal(between), rule)})*` : "";
  rules.push(`one ::= ${choice(calls)}`);
  rules.push(`marked ::= ${sequence(literal(open), `one${another(more, "one")}`, literal(close))}`);
  rules.push(`call ::= ${sequence(literal(mark), "marked")}`);
  if (beside === "nothing") rules.push(`root ::= call${another(between, "call")}`);
  else if (beside === "text" && mark !== "") {
    rules.push("root ::= text_0", ...textUntil(mark, "text", `marked ${several ? "text_0" : ""}`, true));
  } else if (beside === "text") rules.push(`root ::= call | ([^${before[0] ?? open[0]} \\t\\r\\n] [^\\0]*)?`);
  else rules.push(schemaRules(beside.jsonSchema, "instead"), `root ::= call${another(between, "call")} | instead`);
  return `${rules.join("\n")}${jsonRules}${form.arguments === "python" ? pythonRules : ""}`;
}

function rulesOf(parameters: object | undefined, i: number, form: ToolForm): string {
  try {
    return argumentsRules(parameters ?? { type: "object" }, `t${i}`, form.arguments);
  } catch (error) {
    if (!(error instanceof InputError) || error.problem === undefined) throw error;
    const option = `tools[${i}].function.parameters`;
    throw InputError.at(option, error.problem, { cause: error });
  }
}

function literal(text: string): string {
  return text === "" ? "" : quoted(text);
}

function sequence(...parts: string[]): string {
  return parts.filter((part) => part !== "").join(" ");
}
