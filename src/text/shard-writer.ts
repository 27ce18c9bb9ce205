// Writes a token shard document by document. The file appears under its name only when it is whole. Knows no text.

import { createHash, randomUUID } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { bytesPerTokenOf, checkedHeaderBytes, encodeHeader, headerBytes, rowBytes } from "./shard-header.ts";

/** The size of a document's text. */
export interface TextSize {
  /** In UTF-8. */
  readonly bytes: number;
  readonly words: number;
}

/** A shard under construction: append documents, then `finish` or `abort`. */
export class ShardWriter {
  readonly #path: string;
  readonly #temporary: string;
  readonly #vocab: number;
  readonly #bytesPerToken: 2 | 4;
  readonly #hash = createHash("sha256");
  readonly #rows: { first: number; bytes: number; words: number }[] = [];
  readonly #file: number;
  #at = headerBytes;
  #tokens = 0;
  #bytes = 0;
  #words = 0;
  #open = true;
  #finished = false;

  /** Begins a shard of ids below `vocab` that will stand at `path`. */
  constructor(path: string, vocab: number) {
    this.#path = path;
    this.#temporary = `${path}.${randomUUID()}.partial`;
    this.#vocab = vocab;
    this.#bytesPerToken = bytesPerTokenOf(vocab);
    mkdirSync(dirname(path), { recursive: true });
    this.#file = openSync(this.#temporary, "w");
  }

  get tokens(): number {
    return this.#tokens;
  }

  get documents(): number {
    return this.#rows.length;
  }

  /** Adds a document. Throws a RangeError for a token outside the vocabulary. */
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
    writeAll(this.#file, this.#hash.digest(), this.#at);
    fsyncSync(this.#file);
    this.#close();
    renameSync(this.#temporary, this.#path);
    this.#finished = true;
  }

  /** Gives up, leaving nothing behind; does nothing after `finish`. */
  abort(): void {
    if (this.#finished) return;
    if (this.#open) this.#close();
    rmSync(this.#temporary, { force: true });
  }

  #write(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    writeAll(this.#file, bytes, this.#at);
    this.#at += bytes.length;
  }

  #close(): void {
    this.#open = false;
    closeSync(this.#file);
  }
}

function writeAll(file: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, at + done);
}
