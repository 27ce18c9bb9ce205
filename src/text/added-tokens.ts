// Finds the tokens that a tokenizer.json adds to its vocabulary, which are whole wherever they stand in a text. Knows no
// vocabulary.

/** A token that is spelled out in texts. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  /** Whether it takes the spaces before it, and those after it, with it. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** Whether letters and digits beside it make it no token. */
  readonly single_word: boolean;
}

/** A part of a text: an added token, or what lies between two. */
export type Section = { readonly start: number; readonly end: number; readonly id?: number };

/** Cuts texts at added tokens. */
export type AddedTokens = (text: string) => Iterable<Section>;

const space = "[\\t-\\r\\x85\\p{Z}]*"; // White_Space of Unicode
const [noWordBefore, noWordAfter] = ["(?<![\\p{L}\\p{N}\\p{M}_])", "(?![\\p{L}\\p{N}\\p{M}_])"];

/** Finds the longest of `tokens` at each place. */
export function addedTokens(tokens: readonly AddedToken[]): AddedTokens {
  if (tokens.length === 0) return (text) => [{ start: 0, end: text.length }];
  const ids = new Map(tokens.map(({ content, id }) => [content, id]));
  const stripped = tokens.filter(({ lstrip, rstrip }) => lstrip || rstrip);
  const longestFirst = tokens.toSorted((a, b) => b.content.length - a.content.length);
  const pattern = new RegExp(longestFirst.map(patternOf).join("|"), "gu");
  const idOf = (match: string) =>
    ids.get(match) ?? stripped.find(({ content }) => match.includes(content) && match.trim() === content.trim())?.id;
  return function* (text) {
    let last = 0;
    for (const { 0: match, index } of text.matchAll(pattern)) {
      if (index > last) yield { start: last, end: index };
      last = index + match.length;
      yield { start: index, end: last, id: idOf(match) as number };
    }
    if (last < text.length || text.length === 0) yield { start: last, end: text.length };
  };
}

function patternOf({ content, lstrip, rstrip, single_word: whole }: AddedToken): string {
  const literal = content.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
  const word = whole ? noWordBefore + literal + noWordAfter : literal;
  return (lstrip ? space : "") + word + (rstrip ? space : "");
}
