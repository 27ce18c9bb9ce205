// Token ids to text as they come: holds back bytes until they are whole characters. Knows no sampling and no stopping.

import type { Tokenizer } from "./tokenizer.ts";

/** Streams the text of tokens. The pieces pushed out, joined, are `tokenizer.decode` of all ids. */
export class Detokenizer {
  readonly #tokenizer: Pick<Tokenizer, "bytesOf">;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  constructor(tokenizer: Pick<Tokenizer, "bytesOf">) {
    this.#tokenizer = tokenizer;
  }

  /** The text that `id` completes; empty while a character is still missing bytes. */
  push(id: number): string {
    return this.#decoder.decode(this.#tokenizer.bytesOf(id), { stream: true });
  }

  /** What is left, U+FFFD for an unfinished character; afterwards a new text can begin. */
  end(): string {
    return this.#decoder.decode();
  }
}
