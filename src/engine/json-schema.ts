// JSON schemas as grammars of the JSON texts that they allow. Whatever a grammar allows, the schema allows: where the two
// differ, the grammar is narrower, and a demand that it cannot make is refused. Knows no tokens.
//
// Narrower: properties come in the schema's order and, where some are named, no others; a pattern matches from end to
// end; numbers have at most 15 digits; between parts there is at most a space, or a line end and 20 spaces or tabs.

import { InputError } from "../error.ts";
import { quoted } from "./characters.ts";
import { formatPattern, formats } from "./json-formats.ts";
import { numberRange } from "./number-range.ts";
import { patternGrammar } from "./pattern.ts";
import { apart } from "./schema-overlap.ts";

/** Rules that every grammar has; a `char` is one character of a string, however it is written. */
const jsonRules = String.raw`
ws ::= "" | " " | "\n" [ \t]{0,20}
hex ::= [0-9a-fA-F]
char ::= [^"\\\0-\x1f] | "\\" escape
escape ::= ["\\/bfnrt] | "u" ([0-9a-cefA-CEF] hex hex hex | [dD] [0-7] hex hex | [dD] [89abAB] hex hex "\\u" [dD] [c-fC-F] hex hex)
string ::= "\"" char* "\""
integer ::= "0" | "-"? [1-9] [0-9]{0,14}
number ::= "-"? ("0" | [1-9] [0-9]{0,14}) ("." [0-9]{1,15})? ([eE] [+-]? [0-9]{1,2})?
boolean ::= "true" | "false"
null ::= "null"
array ::= "[" ws (value ("," ws value)* ws)? "]"
object ::= "{" ws (string ":" ws value ("," ws string ":" ws value)* ws)? "}"
value ::= object | array | string | number | boolean | null
`;

/** Keywords that demand nothing. */
const notes = new Set(
  "title description default examples deprecated readOnly writeOnly $comment $schema $id $defs definitions".split(" "),
);

/** What can be demanded of each type. */
const demands: Record<string, readonly string[]> = {
  object: ["properties", "required", "additionalProperties", "propertyNames", "minProperties", "maxProperties"],
  array: ["items", "prefixItems", "minItems", "maxItems", "uniqueItems"],
  string: ["minLength", "maxLength", "pattern", "format"],
  number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
  integer: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
  boolean: [],
  null: [],
};

/** What decides alone what a schema allows. */
const deciders = ["$ref", "const", "enum", "anyOf", "oneOf", "allOf"];

/** The deepest schema, the most rules, and the most times that something may be demanded. */
const [deepest, mostRules, mostTimes] = [100, 10_000, 10_000];

type Schema = Record<string, unknown>;

/**
 * xgrammar's EBNF of the JSON texts that `schema` allows; `true` allows any.
 * @throws InputError naming the first place in the schema that is wrong or that no grammar can follow.
 */
export function schemaGrammar(schema: unknown): string {
  return new SchemaGrammar(schema).text();
}
