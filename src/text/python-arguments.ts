// Python's keyword arguments, up to the bracket that closes them, as JSON: `city='Oslo', days=[1, None])`.

import { type ArgumentsReader, pythonConstants, type Reading, withinQuotes } from "./call-arguments.ts";

const escapes: Readonly<Record<string, string>> = {
  ...{ n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", v: "\v", a: "\x07" },
  ...{ "\\": "\\", "'": "'", '"': '"', "/": "/", "\n": "" }, // a slash is escaped in JSON alone
};
const closing: Readonly<Record<string, string>> = { "[": "]", "(": "]", "{": "}" };

/** A step: what it takes and tells. Undefined where more must come first. */
type Step = { readonly taken: number; readonly json?: string; readonly done?: boolean } | undefined;

/** Reads the arguments of one call, after the bracket that opens them. */
export class PythonArguments implements ArgumentsReader {
  #place: "key" | "value" | "string" = "key";
  #isFirst = true;
  readonly #open: string[] = []; // brackets within a value, as JSON closes them
  #comma = false; // one that waits for what follows it, for Python may end a list with one
  #quote = "";

  read(text: string, ended: boolean): Reading {
    let [taken, json] = [0, ""];
    while (taken < text.length) {
      const step = this.#step(text.slice(taken), ended);
      if (!step) break;
      taken += step.taken;
      json += step.json ?? "";
      if (step.done) return { taken, json, done: true };
    }
    return { taken, json, done: false };
  }

  #step(text: string, ended: boolean): Step {
    if (this.#place === "string") return this.#inString(text, ended);
    const space = /^\s+/.exec(text)?.[0];
    if (space) return { taken: space.length };
    return this.#place === "key" ? this.#inKey(text) : this.#inValue(text, ended);
  }

  #inKey(text: string): Step {
    const found = /^,?\s*([\p{L}_][\p{L}\p{N}_]*)\s*=/u.exec(text);
    if (found) {
      const json = `${this.#isFirst ? "{" : ", "}${JSON.stringify(found[1])}: `;
      this.#isFirst = false;
      this.#place = "value";
      return { taken: found[0].length, json };
    }
    if (/^,?\s*([\p{L}_][\p{L}\p{N}_]*\s*)?$/u.test(text)) return undefined;
    const end = /^,?\s*\)/.exec(text);
    return { taken: end ? end[0].length - 1 : 0, json: this.#isFirst ? "{}" : "}", done: true };
  }

  #inValue(text: string, ended: boolean): Step {
    const first = text[0] as string;
    if (this.#open.length === 0 && (first === "," || first === ")")) {
      this.#place = "key";
      return { taken: 0, json: "" };
    }
    if (first === ",") {
      this.#comma = true;
      return { taken: 1 };
    }
    if (first === ":") return { taken: 1, json: ": " };
    if (/[\])}]/.test(first)) {
      this.#comma = false;
      return { taken: 1, json: this.#open.pop() };
    }
    if (first in closing) {
      const comma = this.#takenComma();
      const close = closing[first] as string;
      this.#open.push(close);
      return { taken: 1, json: `${comma}${close === "]" ? "[" : "{"}` };
    }
    const quoted = /^[rbfu]{0,2}("""|'''|"(?!")|'(?!')|""(?!")|''(?!'))/i.exec(text);
    if (!quoted) return this.#word(text, ended);
    const [mark, quote = ""] = quoted;
    if (!ended && mark.length === text.length && quote.length < 3) return undefined; // it may be the first of three
    const comma = this.#takenComma();
    if (quote.length === 2) return { taken: mark.length, json: `${comma}""` };
    this.#quote = quote;
    this.#place = "string";
    return { taken: mark.length, json: `${comma}"` };
  }

  #word(text: string, ended: boolean): Step {
    const word = /^[^\s,:()[\]{}'"]+/.exec(text)?.[0] ?? (text[0] as string);
    if (word.length === text.length && !ended) return undefined;
    const rest = text.slice(word.length).trimStart();
    if (rest === "" && !ended) return undefined;
    const isKey = rest.startsWith(":"); // JSON's are texts
    return { taken: word.length, json: this.#takenComma() + (isKey ? JSON.stringify(word) : jsonOf(word)) };
  }

  #inString(text: string, ended: boolean): Step {
    if (text.startsWith(this.#quote)) {
      this.#place = "value";
      return { taken: this.#quote.length, json: '"' };
    }
    if (!ended && this.#quote.startsWith(text)) return undefined;
    const plain = /^[^\\'"]+/.exec(text)?.[0];
    if (plain) return { taken: plain.length, json: withinQuotes(plain) };
    if (text[0] !== "\\") return { taken: 1, json: withinQuotes(text[0] as string) }; // the other kind of quote
    // Of escapes that are cut off the rest may come.
    const code = /^\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3}))/.exec(text);
    if (!ended && /^\\(x[\da-fA-F]?|u[\da-fA-F]{0,3}|U[\da-fA-F]{0,7}|[0-7]{1,2})?$/.test(text)) return undefined;
    if (code) {
      const value = code[4] ? Number.parseInt(code[4], 8) : Number.parseInt(code[1] ?? code[2] ?? code[3] ?? "", 16);
      const json = code[2] ? `\\u${code[2]}` : withinQuotes(String.fromCodePoint(Math.min(value, 0x10ffff)));
      return { taken: code[0].length, json };
    }
    const letter = text[1] ?? "";
    return { taken: 1 + letter.length, json: withinQuotes(escapes[letter] ?? `\\${letter}`) };
  }

  #takenComma(): string {
    const comma = this.#comma ? ", " : "";
    this.#comma = false;
    return comma;
  }
}

/** A word as JSON: what is neither a number nor one of Python's three is a text. */
function jsonOf(word: string): string {
  if (Object.hasOwn(pythonConstants, word)) return pythonConstants[word] as string;
  if (/^-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?$/i.test(word) || /^(true|false|null)$/.test(word)) return word;
  const number = Number(word.replaceAll("_", ""));
  return Number.isFinite(number) ? String(number) : JSON.stringify(word);
}
