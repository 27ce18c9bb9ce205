// Models that score more tokens than their tokenizer has, as vocabularies are padded to round numbers: what only the
// model has is never drawn.

import type { Constraint } from "../grammar/grammar.ts";

/**
 * Allows the first `tokens` of a model's `vocab` tokens, wherever the text is; undefined where that is all of them.
 * It is never done.
 */
export function withinTokenizer(tokens: number, vocab: number): Constraint | undefined {
  if (tokens === vocab) return undefined;
  const mask = new Int32Array(Math.ceil(vocab / 32)).fill(-1, 0, tokens >> 5);
  if (tokens % 32 > 0) mask[tokens >> 5] = 2 ** (tokens % 32) - 1;
  return {
    allowed: () => mask.slice(),
    accept: (token) => Number.isInteger(token) && token >= 0 && token < tokens,
    ready: () => true,
    done: false,
    [Symbol.dispose]() {},
  };
}
