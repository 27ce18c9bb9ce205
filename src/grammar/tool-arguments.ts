// The arguments of a tool as a grammar of how a form of calls writes them: JSON, Python's keyword arguments, or tags. Knows
// no calls.

import { followed, typesOf } from "../text/argument-types.ts";
import type { Tags, ToolForm } from "../text/tool-form.ts";
import { but, choice, quoted, written } from "./characters.ts";
import { formats } from "./json-formats.ts";
import type { Spelling } from "./json-scalars.ts";
import { membersGrammar, schemaRules } from "./json-schema.ts";
import { patternGrammar } from "./pattern.ts";
import { isSchema, notes, pointer, refused, type Schema, times } from "./schema.ts";

/** Rules that begin with one of a name, for the arguments that a schema allows. @throws InputError naming the place in it. */
export function argumentsRules(schema: object, name: string, written: ToolForm["arguments"]): string {
  if (written === "json") return schemaRules(schema, name);
  return new SpreadArguments(schema, name, written).text();
}

/** Arguments each of which is written by itself. */
class SpreadArguments {
  readonly #schema: object;
  readonly #name: string;
  readonly #tags: Tags | undefined;
  readonly #spelling: Spelling;
  readonly #rules: string[] = [];

  constructor(schema: object, name: string, written: "python" | Tags) {
    this.#schema = schema;
    this.#name = name;
    this.#tags = written === "python" ? undefined : written;
    this.#spelling = written === "python" ? "python" : "json";
  }

  text(): string {
    const {
      properties = {},
      required = [],
      additionalProperties = true,
      ...others
    } = followed(this.#schema, this.#schema);
    const other = Object.keys(others).find((keyword) => keyword !== "type" && !notes.has(keyword));
    if (other !== undefined) throw refused("#", `${other} is not supported for arguments that are written one by one`);
    if (others.type !== undefined && others.type !== "object")
      throw refused("#/type", "must be object, as arguments are");
    if (!isSchema(properties)) throw refused("#/properties", "must be an object");
    if (!Array.isArray(required)) throw refused("#/required", "must be a list of names");
    const at = (this.#schema as Schema).$ref ?? "#";
    const names = [...new Set([...Object.keys(properties), ...required.map(String)])];
    const members = names.map((name, i) => {
      const own = Object.hasOwn(properties, name);
      const ebnf = own ? this.#member(name, `${at}/properties/${pointer(name)}`, i) : this.#free(name);
      return { ebnf, required: required.includes(name) };
    });
    if (names.length > 0) return this.#root(this.#sequence(members));
    if (additionalProperties === false) return this.#root(`""`);
    const any = this.#rule(this.#free());
    return this.#root(this.#tags ? `${any}*` : `(${any} (", " ${any})*)?`);
  }

  #sequence(members: { ebnf: string; required: boolean }[]): string {
    if (this.#tags) return members.map(({ ebnf, required }) => (required ? ebnf : `(${ebnf})?`)).join(" ");
    const all = membersGrammar(members, `", "`, (body) => this.#rule(body));
    return all.required ? all.ebnf : `(${all.ebnf})?`;
  }

  #root(body: string): string {
    return [`${this.#name} ::= ${body}`, ...this.#rules].join("\n");
  }

  #rule(body: string): string {
    const name = `${this.#name}_a${this.#rules.length}`;
    this.#rules.push(`${name} ::= ${body}`);
    return name;
  }

  /** An argument with its name; `i` counts them. */
  #member(name: string, at: string, i: number): string {
    if (!this.#tags) {
      if (!/^[\p{L}_][\p{L}\p{N}_]*$/u.test(name)) throw refused(at, "is no name that an argument can have in Python");
      return this.#rule(`${quoted(`${name}=`)} ${this.#value(at, i)}`);
    }
    if (/[<>\n]/.test(name)) throw refused(at, "is no name that tags can hold");
    const { name: around, value } = this.#tags;
    return this.#rule(`${quoted(around[0] + name + around[1] + value[0])} ${this.#value(at, i)}`);
  }

  /** An argument of any kind; of any name if none is given. */
  #free(name?: string): string {
    const key = name === undefined ? "[a-zA-Z_] [a-zA-Z0-9_]{0,63}" : quoted(name);
    if (!this.#tags) return `${key} "=" py_value`;
    const { name: around, value } = this.#tags;
    return `${quoted(around[0])} ${key} ${quoted(around[1] + value[0])} value ${quoted(value[1])}`;
  }

  /** A value, with what stands after it. */
  #value(at: string, i: number): string {
    const schema = followed({ $ref: at }, this.#schema);
    const types = this.#tags && typesOf(schema, this.#schema);
    if (this.#tags && types?.size === 1 && types.has("string")) return this.#text(schema, at, this.#tags.value[1]);
    const name = `${this.#name}_v${i}`;
    this.#rules.push(schemaRules(this.#schema, name, { at, spelling: this.#spelling }));
    return this.#tags ? `${name} ${quoted(this.#tags.value[1])}` : name;
  }

  /** A text as it is, up to the tag that ends it. */
  #text(schema: Schema, at: string, close: string): string {
    const literals = Object.hasOwn(schema, "const") ? [schema.const] : schema.enum;
    if (Array.isArray(literals)) return `${choice(literals.map((one) => quoted(String(one))))} ${quoted(close)}`;
    const { pattern, format } = schema;
    const found = pattern ?? (format === undefined ? undefined : formats[String(format)]);
    if (typeof found === "string") {
      const grammar = patternGrammar(found, "plain", (problem) => refused(`${at}/pattern`, problem));
      return `${grammar} ${quoted(close)}`;
    }
    if (format !== undefined) throw refused(`${at}/format`, `must be one of ${Object.keys(formats).join(", ")}`);
    const [least, most] = times(schema, "minLength", "maxLength", at);
    if (least > 0 || most !== undefined) return `[^<]{${least},${most ?? ""}} ${quoted(close)}`;
    const name = `${this.#name}_u${this.#rules.length}`;
    this.#rules.push(...textUntil(close.trim(), name, close.endsWith("\n") ? quoted("\n") : ""));
    return `${name}_0`;
  }
}

/**
 * Rules of a text that goes on to a mark, whose first character is nowhere else in it, and then by `onward`; or may end
 * before. The first is called `name` and `_0`; there is one for each number of the mark's characters that have come.
 */
export function textUntil(mark: string, name: string, onward: string, mayEnd = false): string[] {
  const first = mark[0] as string;
  const end = mayEnd ? '"" | ' : "";
  return Array.from(mark, (next, matched) => {
    if (matched === 0) return `${name}_0 ::= ${others(first)}* (${end}${quoted(first)} ${name}_1)`;
    const another = `${quoted(first)} ${name}_1 | ${others(first, next)} ${name}_0`;
    const more = matched + 1 < mark.length ? `${name}_${matched + 1}` : onward;
    return `${name}_${matched} ::= ${end}${another} | ${quoted(next)} ${more}`;
  });
}

/** Any character but these; only of ASCII where one of these is beyond it, for no class can leave that out. */
function others(...characters: string[]): string {
  const codes = characters.map((one) => one.codePointAt(0) as number);
  const beyond = codes.some((code) => code > 127) ? [] : "all";
  return written({ ...but(codes), beyond }, "plain").direct as string;
}
