// The arguments of a call as a model writes them, read as they come and told as JSON. Knows no forms of calls.

/** What was read of a text: its beginning of `taken` UTF-16 units, told as a piece of JSON; `done` at the arguments' end. */
export interface Reading {
  readonly taken: number;
  readonly json: string;
  readonly done: boolean;
}

/** Reads the arguments of one call. */
export interface ArgumentsReader {
  /** Goes on by a text: what was not taken before, and more; nothing follows if it has `ended`. */
  read(text: string, ended: boolean): Reading;
}

/** Arguments that are a JSON object: told as they are. */
export class JsonArguments implements ArgumentsReader {
  #depth: number;
  #inString = false;
  #escaped = false;

  /** @param depth how many brackets are open already. */
  constructor(depth = 0) {
    this.#depth = depth;
  }

  read(text: string): Reading {
    const end = this.#endOf(text);
    const taken = end ?? text.length;
    return { taken, json: text.slice(0, taken), done: end !== undefined };
  }

  #endOf(text: string): number | undefined {
    for (let at = 0; at < text.length; at++) {
      const character = text[at];
      if (this.#escaped) this.#escaped = false;
      else if (this.#inString) {
        if (character === "\\") this.#escaped = true;
        else if (character === '"') this.#inString = false;
      } else if (character === '"') this.#inString = true;
      else if (character === "{" || character === "[") this.#depth++;
      else if ((character === "}" || character === "]") && --this.#depth <= 0) return at + 1;
    }
    return undefined;
  }
}

/** Python's constants, as JSON. */
export const pythonConstants: Readonly<Record<string, string>> = { True: "true", False: "false", None: "null" };

/** A text as it stands within the quotes of a JSON string. */
export function withinQuotes(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** How much of the end of `text` could be the beginning of `sought`. */
export function beginningAtEnd(text: string, sought: string): number {
  for (let length = Math.min(sought.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(sought.slice(0, length))) return length;
  }
  return 0;
}

/**
 * The length of `sought` at the beginning of `text`, with the spaces before it: -1 if something else is there, undefined
 * if it may yet come.
 */
export function leading(text: string, sought: string): number | undefined {
  const start = text.length - text.trimStart().length;
  const found = text.slice(start, start + sought.length);
  if (found === sought) return start + sought.length;
  return sought.startsWith(found) ? undefined : -1;
}
