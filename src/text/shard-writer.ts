// Writes a token shard document by document. The file appears under its name only when it is whole. Knows no text.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { AtomicFile, removeStale } from "../files/atomic-file.ts";
import { makeDirectory } from "../files/directory.ts";
import { fileError } from "../files/file-error.ts";
import { bytesPerTokenOf, checkedHeaderBytes, encodeHeader, headerBytes, rowBytes } from "./shard-header.ts";

/** The size of a document's text. */
export interface TextSize {
  /** In UTF-8. */
  readonly bytes: number;
  readonly words: number;
}

/**
 * Removes what killed processes have left of shards in `directory`, those of the first version among it.
 * @throws InputError if that cannot be done.
 */
export function removeLeftovers(directory: string): void {
  if (!existsSync(directory)) return;
  removeStale(directory);
  try {
    for (const name of readdirSync(directory)) {
      if (name.endsWith(".shard.partial")) rmSync(join(directory, name), { force: true });
    }
  } catch (error) {
    throw fileError("clean up", directory, error);
  }
}

/** A shard under construction: append documents, then `finish` or `abort`. */
export class ShardWriter {
  readonly #vocab: number;
  readonly #bytesPerToken: 2 | 4;
  readonly #hash = createHash("sha256");
  readonly #rows: { first: number; bytes: number; words: number }[] = [];
  readonly #file: AtomicFile;
  #at = headerBytes;
  #tokens = 0;
  #bytes = 0;
  #words = 0;

  /** Begins a shard of ids below `vocab` that will stand at `path`. @throws InputError if it cannot be written there. */
  constructor(path: string, vocab: number) {
    this.#vocab = vocab;
    this.#bytesPerToken = bytesPerTokenOf(vocab);
    makeDirectory(dirname(path));
    this.#file = new AtomicFile(path);
  }

  get tokens(): number {
    return this.#tokens;
  }

  get documents(): number {
    return this.#rows.length;
  }

  /** Adds a document. @throws RangeError for a token outside the vocabulary; InputError if the disk is full. */
  append(tokens: ArrayLike<number>, { bytes, words }: TextSize): void {
    const data = this.#bytesPerToken === 2 ? new Uint16Array(tokens) : new Uint32Array(tokens);
    for (let i = 0; i < tokens.length; i++) {
      const id = tokens[i] as number;
      if (!(id < this.#vocab) || data[i] !== id) {
        throw new RangeError(`shard: token ${id} in a vocabulary of ${this.#vocab}`);
      }
    }
    this.#rows.push({ first: this.#tokens, bytes, words });
    this.#tokens += data.length;
    this.#bytes += bytes;
    this.#words += words;
    this.#write(new Uint8Array(data.buffer));
  }

  /** Puts the shard in its place. */
  finish(): void {
    this.#write(new Uint8Array((headerBytes - this.#at) & 7));
    const rows = Buffer.alloc(this.#rows.length * rowBytes);
    this.#rows.forEach(({ first, bytes, words }, i) => {
      rows.writeBigUInt64LE(BigInt(first), i * rowBytes);
      rows.writeUInt32LE(bytes, i * rowBytes + 8);
      rows.writeUInt32LE(words, i * rowBytes + 12);
    });
    this.#write(rows);
    const header = encodeHeader({
      vocab: this.#vocab,
      bytesPerToken: this.#bytesPerToken,
      tokens: this.#tokens,
      documents: this.#rows.length,
      bytes: this.#bytes,
      words: this.#words,
    });
    this.#at = 0;
    this.#write(header);
    this.#at = checkedHeaderBytes;
    this.#file.write(this.#hash.digest(), this.#at);
    this.#file.finish();
  }

  /** Gives up, leaving nothing behind; does nothing after `finish`. */
  abort(): void {
    this.#file[Symbol.dispose]();
  }

  #write(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#file.write(bytes, this.#at);
    this.#at += bytes.length;
  }
}
