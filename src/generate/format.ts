// A request's format as a constraint. Knows no texts and no tokens.

import { InputError } from "../error.ts";
import type { Constraint, GrammarCompiler } from "../grammar/grammar.ts";
import type { Format } from "./request.ts";

/** What a text of the format may be. @throws InputError for what is no format, or not supported. */
export function formatConstraint(grammars: GrammarCompiler, format: Format): Promise<Constraint> {
  if (typeof format === "object" && format !== null) {
    if ("toolCalls" in format) return grammars.toolCalls(format.toolCalls);
    if ("regex" in format) return grammars.regex(format.regex);
    if ("choices" in format) return grammars.choices(format.choices);
    return grammars.jsonSchema(format.jsonSchema);
  }
  if (format === "json") return grammars.json();
  throw InputError.at("format", 'must be "json" or an object, such as {jsonSchema}');
}
