// Regular expressions (JavaScript's, as in JSON schema) as grammars of the texts that match from end to end. Knows no
// schemas and no tokens.
//
// xgrammar 0.1.27 has no classes of characters beyond ASCII: one that excludes some is refused, and `.`, `\S` and [^\s]
// take line ends and spaces beyond ASCII too (U+2028 for one), which JavaScript does not.

import type { InputError } from "../error.ts";
import { but, type Characters, classes, codesOf, just, only, type Writing, written } from "./characters.ts";

/** The most characters that a pattern's repetitions may amount to. */
const mostCharacters = 500;
/** The most groups in each other. */
const mostNestedGroups = 100;
/** The most characters beyond ASCII of a class. */
const mostListedCharacters = 256;

/** An expression in xgrammar's EBNF, and how many characters its repetitions amount to. */
interface Piece {
  readonly ebnf: string;
  readonly size: number;
  /** For one character: how it is written as it is, and how escaped, where it can be either. */
  readonly either?: readonly [direct: string, escaped: string];
}

/** The error for a problem of a pattern. */
export type Refusal = (problem: string) => InputError;

/**
 * An expression in xgrammar's EBNF for the texts that match `pattern` from end to end.
 * @param refusal the error for a problem, naming what the pattern belongs to.
 * @throws InputError for what is no regular expression, or has look-around, back references, word boundaries, anchors
 * inside or classes by property.
 */
export function patternGrammar(pattern: string, writing: Writing, refusal: Refusal): string {
  // `\-` and the like, which other languages write and JavaScript's Unicode patterns have only in some places.
  const plain = pattern.replace(/\\([!-/:-@[-`{-~ ])/g, (_, character: string) => hexadecimal(character));
  if (/\p{Surrogate}/u.test(pattern)) throw refusal("has half a character, which no text has");
  try {
    new RegExp(plain, "u");
  } catch (error) {
    throw refusal((error as Error).message);
  }
  return new PatternReader(plain, writing, refusal).read();
}

const controls: Record<string, number> = { n: 10, r: 13, t: 9, f: 12, v: 11, 0: 0 };

/** Reads a pattern that JavaScript takes, from left to right. */
class PatternReader {
  readonly #text: readonly string[];
  readonly #writing: Writing;
  readonly #refusal: Refusal;
  #at = 0;
  #depth = 0;

  constructor(pattern: string, writing: Writing, refusal: Refusal) {
    this.#text = Array.from(pattern);
    this.#writing = writing;
    this.#refusal = refusal;
  }

  read(): string {
    if (this.#text[0] === "^") this.#at++;
    const { ebnf } = this.#choices(true);
    return ebnf;
  }

  #choices(outermost = false): Piece {
    const choices = [this.#items(outermost)];
    while (this.#take("|")) {
      if (outermost && this.#text[this.#at] === "^") this.#at++;
      choices.push(this.#items(outermost));
    }
    const size = choices.reduce((sum, choice) => sum + choice.size, 0);
    return { ebnf: `(${choices.map(({ ebnf }) => ebnf).join(" | ")})`, size };
  }

  #items(outermost: boolean): Piece {
    const items: string[] = [];
    let size = 0;
    while (this.#at < this.#text.length && !["|", ")"].includes(this.#text[this.#at] as string)) {
      const next = this.#text[this.#at + 1];
      if (outermost && this.#text[this.#at] === "$" && (next === undefined || next === "|")) {
        this.#at++;
        continue;
      }
      const item = this.#repeated(this.#item());
      size += item.size;
      items.push(item.ebnf);
    }
    return { ebnf: items.length > 0 ? items.join(" ") : `""`, size };
  }

  #item(): Piece {
    const character = this.#next();
    if (character === "(") return this.#group();
    if (character === "[") return this.#written(this.#class());
    if (character === ".") return this.#written(but(codesOf("\n\r")));
    if (character === "^" || character === "$") throw this.#refused(`${character} inside a pattern`);
    if (character !== "\\") return this.#written(just(character.codePointAt(0) as number));
    return this.#written(this.#escape());
  }

  #group(): Piece {
    if (this.#take("?") && !this.#take(":")) {
      const named = this.#take("<") && !["=", "!"].includes(this.#text[this.#at] as string);
      if (!named) throw this.#refused("looking ahead or behind");
      while (this.#next() !== ">");
    }
    if (++this.#depth > mostNestedGroups) {
      throw this.#refusal(`has groups nested deeper than ${mostNestedGroups}, which a grammar cannot follow`);
    }
    const piece = this.#choices();
    this.#depth--;
    this.#at++; // the parenthesis
    return piece;
  }

  #class(): Characters {
    const negated = this.#take("^");
    const ascii = new Set<number>();
    const beyond = new Set<number>();
    let everything = false;
    const add = (code: number) => (code < 128 ? ascii : beyond).add(code);
    while (!this.#take("]")) {
      const from = this.#member();
      const single = from.beyond !== "all" && from.ascii.length + from.beyond.length === 1;
      if (single && this.#text[this.#at] === "-" && this.#text[this.#at + 1] !== "]") {
        this.#at++;
        const [first, last] = [codeOf(from), codeOf(this.#member())];
        if (last - Math.max(first, 128) >= mostListedCharacters)
          throw this.#refused(`more than ${mostListedCharacters} characters beyond ASCII`);
        for (let code = first; code <= last; code++) add(code);
      } else {
        for (const code of from.ascii) add(code);
        if (from.beyond === "all") everything = true;
        else for (const code of from.beyond) add(code);
      }
    }
    if (negated && beyond.size > 0) throw this.#refused("[^…] with characters beyond ASCII");
    if (negated) return everything ? only(but([...ascii]).ascii) : but([...ascii]);
    return { ascii: [...ascii].sort((a, b) => a - b), beyond: everything ? "all" : [...beyond] };
  }

  #member(): Characters {
    const character = this.#next();
    return character === "\\" ? this.#escape(true) : just(character.codePointAt(0) as number);
  }

  #escape(inClass = false): Characters {
    const name = this.#next();
    const found = classes[name];
    if (found) return found;
    if (inClass && name === "b") return just(8);
    if (name in controls) return just(controls[name] as number);
    if (name === "x") return just(Number.parseInt(this.#next() + this.#next(), 16));
    if (name === "u") return just(this.#unicode());
    if (/[A-Za-z0-9]/.test(name)) throw this.#refused(`\\${name}`);
    return just(name.codePointAt(0) as number);
  }

  #unicode(): number {
    let hex = "";
    if (this.#take("{")) while (!this.#take("}")) hex += this.#next();
    else while (hex.length < 4) hex += this.#next();
    const code = Number.parseInt(hex, 16);
    if (code >= 0xd800 && code <= 0xdfff) throw this.#refused(`\\u${hex}, half a character; write \\u{…}`);
    return code;
  }

  #repeated({ ebnf, size, either }: Piece): Piece {
    const sign = this.#text[this.#at];
    if (sign === "*" || sign === "+" || sign === "?") {
      this.#at++;
      this.#take("?");
      if (!either || sign === "?") return { ebnf: `${ebnf}${sign}`, size };
      // Repeating one class is what xgrammar does well: its masks are a thousand times as fast as those of a choice.
      const [direct, escaped] = either;
      const any = `(${direct}* (${escaped} ${direct}*)*)`;
      return { ebnf: sign === "*" ? any : `(${ebnf} ${any})`, size };
    }
    if (sign !== "{") return { ebnf, size };
    let text = "";
    while (!text.endsWith("}")) text += this.#next();
    this.#take("?");
    const counts = text.match(/\d+/g) as string[];
    const total = size * Math.max(...counts.map(Number), 1);
    if (total > mostCharacters) {
      throw this.#refused(`${text}, which makes it ${total} characters long; ${mostCharacters} are the most`);
    }
    return { ebnf: `${ebnf}${text}`, size: total };
  }

  #written(characters: Characters): Piece {
    const { direct, escaped } = written(characters, this.#writing);
    if (direct && escaped) return { ebnf: `(${direct} | ${escaped})`, size: 1, either: [direct, escaped] };
    const ebnf = direct ?? escaped;
    if (ebnf === undefined) throw this.#refused("a class without a character");
    return { ebnf, size: 1 };
  }

  #next(): string {
    return this.#text[this.#at++] as string;
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #refused(what: string): InputError {
    return this.#refusal(`${JSON.stringify(this.#text.join(""))} has ${what}, which a grammar cannot follow`);
  }
}

function codeOf({ ascii, beyond }: Characters): number {
  return (ascii[0] ?? beyond[0]) as number;
}

function hexadecimal(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
