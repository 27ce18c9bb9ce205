// Sets of characters, and how a grammar writes them. Knows no patterns.
//
// xgrammar 0.1.27 has no classes of characters beyond ASCII: a set that has some of them is written out.

/** How a text is written: as it is, or as a JSON string's inside. */
export type Writing = "plain" | "json";

/** A set of characters: those of ASCII, and either some beyond it or all. */
export interface Characters {
  readonly ascii: readonly number[];
  readonly beyond: readonly number[] | "all";
}

const all = Array.from({ length: 128 }, (_, code) => code);
/** The code points of a text. */
export const codesOf = (text: string) => Array.from(text, (character) => character.codePointAt(0) as number);
const digits = codesOf("0123456789");
const words = all.filter((code) => /\w/.test(String.fromCharCode(code)));
const spaces = codesOf("\t\n\v\f\r ");
/** What the escapes \d, \w, \s and their opposites stand for, by letter. */
export const classes: Record<string, Characters> = { d: only(digits), w: only(words), s: only(spaces) };
for (const name of ["d", "w", "s"]) classes[name.toUpperCase()] = but((classes[name] as Characters).ascii);

/** These characters of ASCII. */
export function only(ascii: readonly number[]): Characters {
  return { ascii, beyond: [] };
}

/** All characters but these of ASCII. */
export function but(ascii: readonly number[]): Characters {
  return { ascii: all.filter((code) => !ascii.includes(code)), beyond: "all" };
}

/** One character. */
export function just(code: number): Characters {
  return code < 128 ? only([code]) : { ascii: [], beyond: [code] };
}

/**
 * A set in EBNF: what is written as it is, and what a JSON string escapes; each left out where there is none, and with it
 * the characters that have no short escape.
 */
export function written({ ascii, beyond }: Characters, writing: Writing): { direct?: string; escaped?: string } {
  const special = writing === "json" ? ascii.filter((code) => code < 0x20 || code === 0x22 || code === 0x5c) : [];
  const plain = ascii.filter((code) => !special.includes(code));
  const direct: string[] = [];
  if (beyond === "all") direct.push(`[^${bracketed(all.filter((code) => !plain.includes(code)))}]`);
  else {
    if (plain.length > 0) direct.push(`[${bracketed(plain)}]`);
    direct.push(...beyond.map((code) => quoted(String.fromCodePoint(code))));
  }
  const escaped = special.map((code) => JSON.stringify(String.fromCharCode(code)).slice(1, -1));
  const short = escaped.filter((text) => text.length === 2).map(quoted);
  return {
    ...(direct.length > 0 && { direct: choice(direct) }),
    ...(short.length > 0 && { escaped: choice(short) }),
  };
}

/** One of some expressions, of which there is one at least. */
export function choice(expressions: readonly string[]): string {
  return expressions.length === 1 ? (expressions[0] as string) : `(${expressions.join(" | ")})`;
}

/** A character or a text, quoted for EBNF. */
export function quoted(text: string): string {
  return `"${text.replace(/["\\\p{Cc}]/gu, (unit) => {
    const code = unit.charCodeAt(0);
    return code < 0x20 || code > 0x7e ? `\\u${code.toString(16).padStart(4, "0")}` : `\\${unit}`;
  })}"`;
}

/** The inside of a class of ASCII characters in EBNF. */
function bracketed(codes: readonly number[]): string {
  return codes.map((code) => `\\x${code.toString(16).padStart(2, "0")}`).join("");
}
