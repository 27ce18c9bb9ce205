// What JSON is, as a grammar, and the strings and numbers that a JSON schema allows.

import { formats } from "./json-formats.ts";
import { numberRange } from "./number-range.ts";
import { patternGrammar } from "./pattern.ts";
import { demands, refused, type Schema, times } from "./schema.ts";

/**
 * Rules that every grammar has. Repeating one class, as `chars` does, is what xgrammar does well: its masks are a
 * thousand times as fast as those of a repeated choice.
 */
export const jsonRules = String.raw`
ws ::= "" | " " | "\n" [ \t]{0,20}
hex ::= [0-9a-fA-F]
chars ::= [^"\\\0-\x1f]* ("\\" escape [^"\\\0-\x1f]*)*
escape ::= ["\\/bfnrt] | "u" (basic | surrogates)
basic ::= [0-9a-cefA-CEF] hex hex hex | [dD] [0-7] hex hex
surrogates ::= [dD] [89abAB] hex hex "\\u" [dD] [c-fC-F] hex hex
string ::= "\"" chars "\""
integer ::= "0" | "-"? [1-9] [0-9]{0,14}
number ::= "-"? ("0" | [1-9] [0-9]{0,14}) ("." [0-9]{1,15})? ([eE] [+-]? [0-9]{1,2})?
boolean ::= "true" | "false"
null ::= "null"
array ::= "[" ws (value ("," ws value)* ws)? "]"
object ::= "{" ws (string ":" ws value ("," ws string ":" ws value)* ws)? "}"
value ::= object | array | string | number | boolean | null
`;

/** Rules of the same values as Python spells them. */
export const pythonRules = `
py_boolean ::= "True" | "False"
py_null ::= "None"
py_array ::= "[" ws (py_value ("," ws py_value)* ws)? "]"
py_object ::= "{" ws (string ":" ws py_value ("," ws string ":" ws py_value)* ws)? "}"
py_value ::= py_object | py_array | string | number | py_boolean | py_null
`;

/** Rules that differ by who spells them. */
const spelled: ReadonlySet<string> = new Set(["boolean", "null", "array", "object", "value"]);

/** How JSON's values are spelled: as JSON, or as Python's. */
export type Spelling = "json" | "python";

/** The rule of a kind of value. */
export function ruleOf(kind: string, spelling: Spelling): string {
  return spelling === "python" && spelled.has(kind) ? `py_${kind}` : kind;
}

/** A value's only text. */
export function literalOf(value: unknown, spelling: Spelling): string {
  if (spelling === "json") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((one) => literalOf(one, spelling)).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${literalOf(one, spelling)}`);
    return `{${members.join(", ")}}`;
  }
  if (typeof value === "boolean") return value ? "True" : "False";
  return value === null ? "None" : JSON.stringify(value);
}

/** An expression for the strings that `schema` allows. */
export function stringGrammar(schema: Schema, at: string, rule: (body: string) => string): string {
  const { pattern, format } = schema;
  const [least, most] = times(schema, "minLength", "maxLength", at);
  const free = schema.minLength === undefined && schema.maxLength === undefined;
  if (pattern === undefined && format === undefined) {
    return free ? "string" : `("\\"" ${lengthGrammar(least, most, at, rule)})`;
  }
  // Beside a pattern, a format is the annotation that it is by default (JSON Schema 2020-12, validation, 7.2.1).
  const keyword = pattern === undefined ? "format" : "pattern";
  if (!free) throw refused(at, `a length beside ${keyword} is not supported; put it into a pattern`);
  const found = keyword === "pattern" ? pattern : typeof format === "string" ? formats[format] : undefined;
  if (typeof found !== "string") {
    const right = keyword === "pattern" ? "must be a text" : `must be one of ${Object.keys(formats).join(", ")}`;
    throw refused(`${at}/${keyword}`, `${right}; found ${JSON.stringify(schema[keyword])}`);
  }
  const grammar = patternGrammar(found, "json", (problem) => refused(`${at}/${keyword}`, problem));
  return `("\\"" ${grammar} "\\"")`;
}

/** The longest string whose characters are counted one by one, and otherwise by how many. */
const [mostSingle, block] = [128, 64];

/**
 * The rest of a string of `least` to `most` characters, with its quotation mark. Each character that is counted costs
 * time: xgrammar looks at every token for it, when it compiles. So long strings are counted by 64 characters, and their
 * limits are as much as 63 characters narrower.
 */
function lengthGrammar(least: number, most: number | undefined, at: string, rule: (body: string) => string): string {
  const counted = (count: number, last: string, mayEnd: (left: number) => boolean) => {
    let next = last;
    for (let left = 1; left <= count; left++) {
      next = rule(`${mayEnd(left) ? `"\\"" | ` : ""}[^"\\\\\\0-\\x1f] ${next} | "\\\\" escape ${next}`);
    }
    return next;
  };
  const blocks = Math.ceil(least / block);
  if (most === undefined && least <= mostSingle) return counted(least, rule(`chars "\\""`), () => false);
  const full = () => counted(block, rule(`""`), () => false);
  if (most === undefined) return `${full()}{${blocks}} chars "\\""`;
  const mostBlocks = Math.floor((most + 1) / block) - 1;
  if (most > mostSingle && blocks <= mostBlocks) {
    return `${full()}{${blocks},${mostBlocks}} ${counted(block - 1, rule(`"\\""`), () => true)}`;
  }
  if (most > 10 * block) throw refused(at, `minLength ${least} and maxLength ${most} are too near each other`);
  return counted(most, rule(`"\\""`), (left) => left <= most - least);
}

/** An expression for the numbers that `schema` allows. */
export function numberGrammar(type: string, schema: Schema, at: string): string {
  for (const keyword of demands.number ?? []) {
    const found = schema[keyword];
    if (found !== undefined && !Number.isFinite(found)) {
      throw refused(`${at}/${keyword}`, `must be a number; found ${JSON.stringify(found)}`);
    }
  }
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema as Record<string, number | undefined>;
  const lows = [minimum, exclusiveMinimum].filter((bound) => bound !== undefined);
  const highs = [maximum, exclusiveMaximum].filter((bound) => bound !== undefined);
  if (lows.length + highs.length === 0) return type;
  const [low, high] = [Math.max(...lows), Math.min(...highs)];
  const range = { low, high, above: low === exclusiveMinimum, below: high === exclusiveMaximum };
  const found = numberRange({ ...range, whole: type === "integer" });
  if (found === undefined) throw refused(at, `no ${type} of at most 15 digits is within its bounds`);
  return found;
}
