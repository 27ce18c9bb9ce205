// What a text may be, as whoever asks says it, and the grammar of that. It is made where the grammar is compiled, for both can
// take long.

import { InputError } from "../error.ts";
import { choice, quoted } from "./characters.ts";
import { schemaGrammar } from "./json-schema.ts";
import { patternGrammar } from "./pattern.ts";
import { type ToolCalls, toolCallsGrammar } from "./tool-calls.ts";

/** A form of texts, as plain data. */
export type GrammarSource =
  | { readonly json: true }
  | { readonly jsonSchema: unknown }
  | { readonly regex: string }
  | { readonly choices: readonly string[] }
  | { readonly toolCalls: ToolCalls }
  /** xgrammar's EBNF, whose first rule is `root`. */
  | { readonly ebnf: string };

/** What errors call them. */
const names: Readonly<Record<string, string>> = {
  json: "JSON",
  jsonSchema: "JSON schema",
  regex: "regex",
  choices: "choices",
  toolCalls: "tools",
  ebnf: "grammar",
};

/** The longest grammar, in UTF-16 units. */
const longestGrammar = 1 << 18;

/** What errors call a form. */
export function nameOf(source: GrammarSource): string {
  return names[Object.keys(source)[0] as string] as string;
}

/** The grammar of a form, in xgrammar's EBNF. @throws InputError for what no grammar can follow, naming the place. */
export function ebnfOf(source: GrammarSource): string {
  const ebnf = written(source);
  if (ebnf.length <= longestGrammar) return ebnf;
  throw InputError.at("format", `makes a grammar of ${ebnf.length} characters; ${longestGrammar} are the most`, {
    shown: nameOf(source),
  });
}

function written(source: GrammarSource): string {
  if ("jsonSchema" in source) return schemaGrammar(source.jsonSchema);
  if ("toolCalls" in source) return toolCallsGrammar(source.toolCalls);
  if ("choices" in source) return `root ::= ${choice(source.choices.map(quoted))}`;
  if ("ebnf" in source) return source.ebnf;
  if ("json" in source) return schemaGrammar(true);
  const refusal = (problem: string) => InputError.at("format", problem, { shown: "regex" });
  return `root ::= ${patternGrammar(source.regex, "plain", refusal)}`;
}
