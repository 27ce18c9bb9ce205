// Wikitext as lm-evaluation-harness reads it: articles, and their text without the marks of its tokenization.

import { spaceClass } from "../../text/word-count.ts";

/** An article's heading: one equals sign on each side, where sections have two or more. */
const heading = /^ = [^=\n].*[^=\s] = *$/;

/**
 * The articles of a file in the form of its publishers, each from its heading on; a text without headings is one. Lines that
 * end as on Windows are as the publishers' again.
 */
export function pagesOf(content: string): string[] {
  const pages: string[] = [];
  let page = "";
  for (const line of content.replaceAll("\r\n", "\n").split(/(?<=\n)/)) {
    if (heading.test(line.replace(/\n$/, ""))) {
      if (page.trim() !== "") pages.push(page);
      page = "";
    }
    page += line;
  }
  return page.trim() === "" ? pages : [...pages, page];
}

const spaces = `${spaceClass}*`;
const around = (open: string, inner: string, close: string) =>
  new RegExp(`${open}${spaces}(${inner}*?)${spaces}${close}`, "g");

/** Replacements in the order of the harness's `wikitext_detokenizer`, its slips included. */
const replacements: readonly (readonly [string | RegExp, string])[] = [
  ["s '", "s'"],
  [/\/' [0-9]\//g, "/'[0-9]/"],
  [" @-@ ", "-"],
  [" @,@ ", ","],
  [" @.@ ", "."],
  [" : ", ": "],
  [" ; ", "; "],
  [" . ", ". "],
  [" ! ", "! "],
  [" ? ", "? "],
  [" , ", ", "],
  [around("\\(", "[^)]", "\\)"), "($1)"],
  [around("\\[", "[^\\]]", "\\]"), "[$1]"],
  [around("\\{", "[^}]", "\\}"), "{$1}"],
  [around('"', '[^"]', '"'), '"$1"'],
  [around("'", "[^']", "'"), "'$1'"],
  ["= = = =", "===="],
  ["= = =", "==="],
  ["= =", "=="],
  [" ° ", "°"],
  [" \n", "\n"],
  ["\n ", "\n"],
  [" N ", " 1 "],
  [" 's", "'s"],
];

/** The text of a page as people write it. */
export function detokenized(page: string): string {
  return replacements.reduce((text, [from, to]) => text.replaceAll(from, to), page);
}
