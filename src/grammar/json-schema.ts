// JSON schemas as grammars of the JSON texts that they allow. Whatever a grammar allows, the schema allows, but for
// spaces and line ends beyond ASCII, of which patterns take more (pattern.ts): where else they differ, the grammar is
// narrower, and a demand that it cannot make is refused. Knows no tokens.
//
// Narrower: properties come in the schema's order and, where some are named, no others; a tuple's items are all there; a
// pattern matches from end to end; integers and numbers within bounds have at most 15 digits, other numbers 15 before
// the point, 15 after it and 2 in the exponent; between parts there is at most a space, or a line end and 20 spaces or
// tabs.

import { InputError } from "../error.ts";
import { choice, quoted } from "./characters.ts";
import { jsonRules, literalOf, numberGrammar, ruleOf, type Spelling, stringGrammar } from "./json-scalars.ts";
import { endless } from "./recursion.ts";
import {
  apart,
  demands,
  isDeeper,
  isOf,
  isSchema,
  notes,
  pointer,
  refused,
  resolve,
  type Schema,
  times,
  typesOf,
} from "./schema.ts";

/** What decides alone what a schema allows. */
const deciders = ["$ref", "const", "enum", "anyOf", "oneOf", "allOf"];

/** The most levels of a schema in each other. */
const mostLevels = 100;

/** The most steps to a place in a schema, by references. */
const mostSteps = 200;

/** The most rules of a grammar. */
const mostRules = 2_000;

/** What an expression is for: any value, or a property's name, which is a string. */
type Kind = "value" | "name";

/**
 * xgrammar's EBNF of the JSON texts that `schema` allows; `true` allows any.
 * @throws InputError naming the first place in the schema that is wrong or that no grammar can follow.
 */
export function schemaGrammar(schema: unknown): string {
  return `${schemaRules(schema, "root")}${jsonRules}`;
}

/** What of a schema is written, and how. */
export interface SchemaPart {
  /** The place in it (a JSON pointer) of the schema that is meant; the whole if not given. */
  readonly at?: string;
  readonly spelling?: Spelling;
}

/** The same without the rules of JSON, for a grammar of more than this: its first rule is `name`, as the others' begin. */
export function schemaRules(schema: unknown, name: string, part: SchemaPart = {}): string {
  return new SchemaGrammar(schema, name, part).text();
}

/**
 * Members that follow each other, with what stands between two; those that are not `required` may be missing. Undefined if
 * there are none.
 * @param rule the name of the rule for an expression.
 */
export function membersGrammar(
  members: readonly { readonly ebnf: string; readonly required: boolean }[],
  between: string,
  rule: (body: string) => string,
): { readonly ebnf: string; readonly required: boolean } {
  // After a first member: the rest, each with what stands before it.
  const tails = new Array<string>(members.length).fill("");
  for (let i = members.length - 2; i >= 0; i--) {
    const { ebnf, required } = members[i + 1] as (typeof members)[number];
    tails[i] = rule(`(${between} ${ebnf})${required ? "" : "?"} ${tails[i + 1]}`);
  }
  const needed = members.findIndex(({ required }) => required);
  const firsts = needed < 0 ? members : members.slice(0, needed + 1);
  return { ebnf: choice(firsts.map(({ ebnf }, i) => `${ebnf} ${tails[i]}`)), required: needed >= 0 };
}

class SchemaGrammar {
  readonly #root: unknown;
  readonly #name: string; // of the first rule
  readonly #at: string;
  readonly #spelling: Spelling;
  readonly #rules: string[] = [];
  readonly #names = new Map<string, string>(); // of rules, by expression
  /** Rules of schemas that are referred to. */
  readonly #named: { readonly value: Map<string, string>; readonly name: Map<string, string> };

  constructor(root: unknown, name: string, { at = "#", spelling = "json" }: SchemaPart) {
    this.#root = root;
    this.#name = name;
    this.#at = at;
    this.#spelling = spelling;
    this.#named = { value: new Map([[at, name]]), name: new Map() };
  }

  text(): string {
    if (isDeeper(this.#root, mostLevels))
      throw InputError.at("format", `is nested deeper than ${mostLevels}`, { shown: "JSON schema" });
    const root = this.#value(resolve(this.#root, this.#at, "#"), this.#at);
    const refs = [...this.#named.value.keys(), ...this.#named.name.keys()];
    const found = endless(refs, (ref) => resolve(this.#root, ref, "#"));
    if (found) throw refused(`$ref ${found}`, "allows nothing: it leads back to itself without end");
    return `${this.#name} ::= ${root}\n${this.#rules.join("\n")}`;
  }

  /** The name of the rule for an expression. */
  #rule(body: string): string {
    const known = this.#names.get(body);
    if (known) return known;
    if (this.#rules.length >= mostRules)
      throw InputError.at("format", `has more than ${mostRules} parts`, { shown: "JSON schema" });
    const name = this.#nameOf(this.#rules.length);
    this.#rules.push(`${name} ::= ${body}`);
    this.#names.set(body, name);
    return name;
  }

  /** An expression for what `schema` allows; of names, for those that are strings. */
  #value(schema: unknown, at: string, kind: Kind = "value"): string {
    const anything = kind === "name" ? "string" : ruleOf("value", this.#spelling);
    if (schema === true) return anything;
    if (schema === false) throw refused(at, "false allows nothing");
    if (!isSchema(schema)) throw refused(at, `must be an object, true or false; found ${JSON.stringify(schema)}`);
    if (at.split("/").length > mostSteps) throw refused(at, `is more than ${mostSteps} steps from the root`);
    const asked = Object.keys(schema).filter((keyword) => !notes.has(keyword) && schema[keyword] !== undefined);
    if (asked.length === 0) return anything;
    const decider = deciders.find((keyword) => asked.includes(keyword));
    if (decider) return this.#decided(schema, decider, asked, at, kind);
    const types = kind === "name" ? namedTypes(schema, at) : typesOf(schema, asked, at);
    for (const keyword of asked) {
      if (keyword === "type" || types.some((type) => demands[type]?.includes(keyword))) continue;
      const known = types.flatMap((type) => demands[type] ?? []).join(", ") || "none";
      throw refused(at, `${keyword} is not supported for ${types.join(" or ")}; supported are ${known}`);
    }
    return choice(types.map((type) => this.#typed(type, schema, at)));
  }

  #typed(type: string, schema: Schema, at: string): string {
    if (type === "object") return this.#object(schema, at);
    if (type === "array") return this.#array(schema, at);
    if (type === "string") return stringGrammar(schema, at, (body) => this.#rule(body));
    if (type === "number" || type === "integer") return numberGrammar(type, schema, at);
    return ruleOf(type, this.#spelling);
  }

  #decided(schema: Schema, decider: string, asked: readonly string[], at: string, kind: Kind): string {
    const literal = decider === "const" || decider === "enum";
    const beside = asked.find((keyword) => keyword !== decider && !(literal && keyword === "type"));
    if (beside) throw refused(at, `${decider} beside ${beside} is not supported; move one into the other`);
    const found = schema[decider];
    if (decider === "$ref") return this.#reference(found, at, kind);
    if (decider === "const") return this.#literals([found], schema, at, kind);
    const path = `${at}/${decider}`;
    if (!Array.isArray(found) || found.length === 0) throw refused(path, "must be a list that is not empty");
    if (decider === "enum") return this.#literals(found, schema, at, kind);
    if (decider === "allOf" && found.length > 1) throw refused(path, "more than one is not supported; merge them");
    if (decider === "oneOf") {
      for (const [i, one] of found.entries()) {
        const other = found.findIndex((other, j) => j > i && !apart(one, other, (ref) => resolve(this.#root, ref, at)));
        if (other < 0) continue;
        throw refused(path, `${i} and ${other} may both fit, which is not supported; write anyOf if they may`);
      }
    }
    return choice(found.map((one, i) => this.#value(one, `${path}/${i}`, kind)));
  }

  #literals(values: readonly unknown[], schema: Schema, at: string, kind: Kind): string {
    const said = schema.type === undefined ? undefined : typesOf(schema, [], at);
    const types = kind === "name" ? namedTypes(schema, at) : said;
    const fitting = values.filter((value) => !types || types.some((type) => isOf(type, value)));
    if (fitting.length === 0) throw refused(at, `none of its values is of type ${types?.join(" or ")}`);
    return choice(fitting.map((value) => quoted(literalOf(value, this.#spelling))));
  }

  #reference(ref: unknown, at: string, kind: Kind): string {
    if (typeof ref !== "string") throw refused(at, `$ref must be a text; found ${JSON.stringify(ref)}`);
    const named = this.#named[kind];
    const known = named.get(ref);
    const way: unknown[] = [];
    for (let target: unknown = { $ref: ref }; isSchema(target) && typeof target.$ref === "string"; ) {
      if (way.includes(target.$ref)) throw refused(at, `$ref ${ref} leads back to itself`);
      way.push(target.$ref);
      target = resolve(this.#root, target.$ref, at);
    }
    if (known) return known;
    const place = this.#rules.push("") - 1;
    const name = this.#nameOf(place);
    named.set(ref, name);
    this.#rules[place] = `${name} ::= ${this.#value(resolve(this.#root, ref, at), `${at}/$ref`, kind)}`;
    return name;
  }

  #nameOf(place: number): string {
    return this.#name === "root" ? `r${place}` : `${this.#name}_r${place}`;
  }

  #object(schema: Schema, at: string): string {
    const { properties = {}, required: asked = [], additionalProperties = true, propertyNames = true } = schema;
    if (!isSchema(properties)) throw refused(`${at}/properties`, "must be an object");
    if (!Array.isArray(asked) || asked.some((name) => typeof name !== "string")) {
      throw refused(`${at}/required`, "must be a list of names");
    }
    const required = [...new Set<string>(asked)];
    const [least, most] = times(schema, "minProperties", "maxProperties", at);
    const names = [...new Set([...Object.keys(properties), ...required])];
    const members = names.filter((name) => required.includes(name) || properties[name] !== false);
    if (names.length === 0) {
      if (least > 1) throw refused(at, "minProperties above 1 is not supported where names may repeat");
      if (additionalProperties === false && least > 0)
        throw refused(at, "allows nothing: no property, but one at least");
      if (additionalProperties === false) return `("{" ws "}")`;
      if (additionalProperties === true && propertyNames === true && least === 0 && most === undefined)
        return ruleOf("object", this.#spelling);
      const key = this.#value(propertyNames, `${at}/propertyNames`, "name");
      const value = this.#value(additionalProperties, `${at}/additionalProperties`);
      return this.#rule(`"{" ws ${list(this.#rule(`${key} ":" ws ${value}`), least, most)} "}"`);
    }
    if (propertyNames !== true) throw refused(at, "propertyNames is not supported where properties are named");
    if (least > required.length) throw refused(at, `minProperties is above the ${required.length} properties required`);
    if (most !== undefined && most < members.length) {
      throw refused(at, `maxProperties is below the ${members.length} properties; leave out those not wanted`);
    }
    if (members.length === 0) return `("{" ws "}")`;
    const pairs = members.map((name) => {
      const own = Object.hasOwn(properties, name);
      const value = this.#value(own ? properties[name] : additionalProperties, `${at}/properties/${pointer(name)}`);
      const ebnf = this.#rule(`${quoted(JSON.stringify(name))} ":" ws ${value}`);
      return { ebnf, required: required.includes(name) };
    });
    const filled = membersGrammar(pairs, `"," ws`, (body) => this.#rule(body));
    return this.#rule(`"{" ws ${filled.required ? `${filled.ebnf} ws` : `(${filled.ebnf} ws)?`} "}"`);
  }

  #array(schema: Schema, at: string): string {
    const { prefixItems = [], uniqueItems = false } = schema;
    const [least, most] = times(schema, "minItems", "maxItems", at);
    if (!Array.isArray(prefixItems)) throw refused(`${at}/prefixItems`, "must be a list of schemas");
    if (Array.isArray(schema.items)) throw refused(`${at}/items`, "is a list, which is prefixItems by now");
    if (uniqueItems !== false && !(most !== undefined && most < 2)) throw refused(at, "uniqueItems is not supported");
    const { items = prefixItems.length === 0 || least > prefixItems.length } = schema;
    const prefix = prefixItems.slice(0, most).map((item, i) => this.#rule(this.#value(item, `${at}/prefixItems/${i}`)));
    if (items === false && least > prefix.length)
      throw refused(at, `allows nothing: minItems ${least}, but items false`);
    if (items === true && prefix.length === 0 && least === 0 && most === undefined)
      return ruleOf("array", this.#spelling);
    const more = most === undefined ? undefined : most - prefix.length;
    const rest = items === false || more === 0 ? undefined : this.#rule(this.#value(items, `${at}/items`));
    if (prefix.length === 0) return this.#rule(`"[" ws ${rest ? list(rest, least, most) : ""} "]"`);
    const tail = rest ? `("," ws ${rest}){${Math.max(0, least - prefix.length)},${more ?? ""}}` : "";
    return this.#rule(`"[" ws ${prefix.join(' "," ws ')} ${tail} ws "]"`);
  }
}

/** Items with commas, and space after the last. */
function list(item: string, least: number, most: number | undefined): string {
  if (most === 0) return "";
  const filled = `${item} ("," ws ${item}){${Math.max(0, least - 1)},${most === undefined ? "" : most - 1}} ws`;
  return least === 0 ? `(${filled})?` : filled;
}

/** The type that names of properties have. @throws InputError if the schema has another. */
function namedTypes(schema: Schema, at: string): readonly string[] {
  if (schema.type === undefined || typesOf(schema, [], at).includes("string")) return ["string"];
  throw refused(`${at}/type`, `must be string, as names of properties are; found ${JSON.stringify(schema.type)}`);
}
