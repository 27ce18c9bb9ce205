// Tokenizers in files: tokenizer.json read and written. Knows no training and no sources.

import { dirname } from "node:path";
import { InputError } from "../error.ts";
import { AtomicFile } from "../files/atomic-file.ts";
import { makeDirectory } from "../files/directory.ts";
import { readWholeText } from "../files/regular-file.ts";
import { loadTokenizer, type Tokenizer, type TokenizerOptions } from "./tokenizer.ts";

/**
 * The tokenizer in a tokenizer.json file.
 * @throws InputError where the file is missing, or not a byte-level BPE tokenizer.
 */
export async function openTokenizer(path: string, options: TokenizerOptions = {}): Promise<Tokenizer> {
  let json: unknown;
  try {
    json = JSON.parse(readWholeText(path));
  } catch (cause) {
    const problem = cause instanceof InputError ? cause.message : `${path} is not JSON: ${(cause as Error).message}`;
    throw new InputError(`tokenizer: ${problem}; give a tokenizer.json`, { cause });
  }
  return loadTokenizer(json, options);
}

/** Writes a tokenizer as tokenizer.json, whole or not at all. @throws InputError if it cannot be written. */
export function saveTokenizer(tokenizer: Tokenizer, path: string): void {
  makeDirectory(dirname(path));
  using file = new AtomicFile(path);
  file.write(new TextEncoder().encode(JSON.stringify(tokenizer.json, null, 1)), 0);
  file.finish();
}
