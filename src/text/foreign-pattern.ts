// Patterns that somebody else wrote into a tokenizer.json. Reading one says what is wrong with it; running one takes no
// longer than the text's length allows. Does not know what they are for.

import { InputError } from "../error.ts";
import { withinTime } from "./time-limit.ts";

/** Milliseconds that patterns may take on a text, and on each UTF-16 unit of it: far more than they need. */
const leastMs = 2000;
const msPerUnit = 0.02;

/** What `make` makes of a pattern. @throws InputError where the pattern is none. */
export function readPattern<T>(pattern: string, make: (pattern: string) => T): T {
  try {
    return make(pattern);
  } catch (cause) {
    throw new InputError(`tokenizer: pattern ${shown([pattern])}: ${(cause as Error).message}`, { cause });
  }
}

/** What `work` makes of `text` with these patterns. @throws InputError where they do not come to an end on it. */
export function withPatterns<T>(patterns: readonly string[], text: string, work: () => T): T {
  if (patterns.length === 0) return work();
  return withinTime(leastMs + msPerUnit * text.length, work, () => {
    const problem = `does not come to an end on a text of ${text.length} characters; the tokenizer cannot be used`;
    return new InputError(`tokenizer: pattern ${shown(patterns)} ${problem}`);
  });
}

function shown(patterns: readonly string[]): string {
  return JSON.stringify(patterns.join(" or ").slice(0, 200));
}
