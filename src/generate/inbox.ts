// What a request has been sent and nobody has taken yet: a chunk of each text at most, however slow the taker is. Knows no
// processes.

import type { Chunk } from "./request.ts";

/** One request's chunks, between who writes them and who takes them. */
export class Inbox {
  readonly #chunks: Chunk[] = [];
  readonly #open: Set<number>;
  #error: Error | undefined;
  #wake = () => {};

  /** For a request of so many texts. */
  constructor(texts: number) {
    this.#open = new Set(Array(texts).keys());
  }

  /** Whether more is to come. */
  get unfinished(): boolean {
    return this.#open.size > 0 && this.#error === undefined;
  }

  /** Adds a chunk, as a part of the one of the same text that waits if there is one. */
  put(chunk: Chunk): void {
    const place = this.#chunks.findIndex(({ index }) => index === chunk.index);
    const before = this.#chunks[place];
    if (before) this.#chunks[place] = joined(before, chunk);
    else this.#chunks.push(chunk);
    if (chunk.finishReason) this.#open.delete(chunk.index);
    this.#wake();
  }

  /** Ends the request; what was put is taken first. */
  fail(error: Error): void {
    this.#error = error;
    this.#wake();
  }

  /**
   * The chunks as they come, to the end of all texts. When `signal` says so, what has come is given, and texts that have
   * not ended end with the reason "abort".
   * @throws what the request failed of.
   */
  async *take(signal?: AbortSignal): AsyncGenerator<Chunk, void> {
    const abort = () => this.#wake();
    signal?.addEventListener("abort", abort);
    try {
      while (this.#open.size > 0 || this.#chunks.length > 0) {
        if (signal?.aborted && this.#open.size > 0) {
          const open = [...this.#open];
          yield* this.#chunks.splice(0);
          for (const index of open) yield { index, text: "", tokens: [], finishReason: "abort" };
          return;
        }
        const chunk = this.#chunks.shift();
        if (chunk) {
          yield chunk;
          continue;
        }
        if (this.#error) throw this.#error;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }
}

function joined(before: Chunk, chunk: Chunk): Chunk {
  const logprobs = [...(before.logprobs ?? []), ...(chunk.logprobs ?? [])];
  return {
    ...chunk,
    text: before.text + chunk.text,
    tokens: [...before.tokens, ...chunk.tokens],
    ...(logprobs.length > 0 && { logprobs }),
    ...(before.promptLogprobs && { promptLogprobs: before.promptLogprobs }),
  };
}
