// Words and bytes of a text, as lm-eval counts them for word perplexity and bits per byte. Knows no tokens.

// What Python's `\s` matches: unlike JavaScript's it has U+001C to U+001F and U+0085, and lacks U+FEFF.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are the difference
const space = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/g;

/** A class of regular expressions: what Python's `\s` matches. */
export const spaceClass = space.source.slice(0, -1);

/** `len(re.split(r"\s+", text))`: runs of white space, plus one. */
export function countWords(text: string): number {
  const pattern = new RegExp(space);
  let count = 1;
  while (pattern.test(text)) count++;
  return count;
}

/** The length of `text` in UTF-8. */
export function countBytes(text: string): number {
  return Buffer.byteLength(text);
}
