// Arguments that are written with tags, a pair around each name and a pair around its value, as JSON. What a value is, its
// text does not say: the tool's schema does.

import { isObject } from "../files/json-file.ts";
import { followed, typeOf, typesOf } from "./argument-types.ts";
import {
  type ArgumentsReader,
  beginningAtEnd,
  leading,
  pythonConstants,
  type Reading,
  withinQuotes,
} from "./call-arguments.ts";
import type { Tags } from "./tool-form.ts";

/** Reads the arguments of one call. */
export class TaggedArguments implements ArgumentsReader {
  readonly #tags: Tags;
  readonly #schema: unknown;
  readonly #lines: boolean; // whether a value stands on lines of its own
  #isFirst = true;
  #inValue = false;
  #types: ReadonlySet<string> | undefined; // of the value
  #begun = false; // whether its quote was told

  /** @param schema of the arguments, if there is one. */
  constructor(tags: Tags, schema: unknown) {
    this.#tags = tags;
    this.#schema = schema;
    this.#lines = tags.value[1].startsWith("\n");
  }

  read(text: string, ended: boolean): Reading {
    let [taken, json] = [0, ""];
    for (;;) {
      const rest = text.slice(taken);
      const step = this.#inValue ? this.#value(rest, ended) : this.#name(rest, ended);
      if (!step) return { taken, json, done: false };
      taken += step.taken;
      json += step.json;
      if (step.done) return { taken, json, done: true };
    }
  }

  /** The tags up to a value. */
  #name(text: string, ended: boolean): Reading | undefined {
    const [open, close] = this.#tags.name;
    const start = leading(text, open);
    if (start === undefined && !(ended && this.#isFirst)) return undefined;
    if (start === undefined || start < 0) return { taken: 0, json: this.#isFirst ? "{}" : "}", done: true };
    const end = text.indexOf(close.trim(), start);
    if (end < 0) return undefined;
    const after = end + close.trim().length;
    const value = leading(text.slice(after), this.#tags.value[0]);
    if (value === undefined) return undefined;
    const newline = this.#lines && text[after] === "\n" ? 1 : 0;
    if (this.#lines && text.length === after && !ended) return undefined;
    const name = text.slice(start, end).trim();
    const json = `${this.#isFirst ? "{" : ", "}${JSON.stringify(name)}: `;
    this.#isFirst = false;
    this.#begun = false;
    this.#inValue = true;
    this.#types = typesOf(propertyOf(this.#schema, name), this.#schema);
    return { taken: this.#lines ? after + newline : after + Math.max(0, value), json, done: false };
  }

  #value(text: string, ended: boolean): Reading | undefined {
    const close = this.#tags.value[1].trim();
    const end = text.indexOf(close);
    const types = this.#types;
    const isText = types?.size === 1 && types.has("string");
    if (end >= 0 || (ended && !isText)) {
      const last = end < 0 ? text.length : this.#lines && text[end - 1] === "\n" ? end - 1 : end;
      const value = text.slice(0, last);
      this.#inValue = false;
      const json = isText ? `${this.#inside(value)}"` : jsonOf(value, types);
      return { taken: end < 0 ? text.length : end + close.length, json, done: false };
    }
    if (!isText) return undefined;
    const held = ended ? 0 : beginningAtEnd(text, close);
    const newline = !ended && this.#lines && text[text.length - held - 1] === "\n" ? 1 : 0;
    const certain = text.slice(0, text.length - held - newline);
    return certain === "" ? undefined : { taken: certain.length, json: this.#inside(certain), done: false };
  }

  /** A piece of a text in JSON, with the quote that begins it. */
  #inside(text: string): string {
    const quote = this.#begun ? "" : '"';
    this.#begun = true;
    return quote + withinQuotes(text);
  }
}

/** The schema of a property, if it has one. */
function propertyOf(schema: unknown, name: string): unknown {
  const { properties } = followed(schema, schema);
  return isObject(properties) && Object.hasOwn(properties, name) ? properties[name] : undefined;
}

/** A value as JSON: what is JSON of its types stays, anything else is a text. */
function jsonOf(text: string, types: ReadonlySet<string> | undefined): string {
  const trimmed = text.trim();
  const json = Object.hasOwn(pythonConstants, trimmed) ? (pythonConstants[trimmed] as string) : trimmed;
  try {
    const value: unknown = JSON.parse(json);
    const isWhole = Number.isInteger(value) && types?.has("integer");
    if (!types || types.has(typeOf(value)) || isWhole) return json;
  } catch {
    // a text
  }
  return JSON.stringify(text);
}
