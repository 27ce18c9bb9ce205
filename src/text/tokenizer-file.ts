// Tokenizers in files: tokenizer.json read and written. Knows no training and no sources.

import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { InputError } from "../error.ts";
import { AtomicFile } from "../files/atomic-file.ts";
import { makeDirectory } from "../files/directory.ts";
import { readWhole, readWholeText } from "../files/regular-file.ts";
import { encodeSealed, sealOf } from "../files/sealed-json.ts";
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

/** Keeps a tokenizer for the program's own use, with a checksum. @throws InputError if it cannot be written. */
export function keepTokenizer({ json }: Tokenizer, path: string): void {
  using file = new AtomicFile(path);
  file.write(encodeSealed(json as object), 0);
  file.finish();
}

/** A tokenizer that was kept; undefined where there is none, or not as it was written, so that it is made again. */
export function keptTokenizer(path: string): Tokenizer | undefined {
  if (!existsSync(path)) return undefined;
  const bytes = readWhole(path);
  if (sealOf(bytes) !== "intact") return undefined;
  const { checksum: _, ...json } = JSON.parse(bytes.toString("utf8"));
  return loadTokenizer(json);
}
