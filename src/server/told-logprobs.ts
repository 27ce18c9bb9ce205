// Log-probabilities told with the text of their tokens: those of what is held back wait with it, those of a stop text and of
// what follows it are not told, as their text is not.

import type { Chunk, TokenLogprob } from "../generate/request.ts";
import { Detokenizer } from "../text/detokenizer.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** The tokens of one text. */
export class ToldLogprobs {
  readonly #detokenizer: Detokenizer;
  readonly #held: { readonly logprob: TokenLogprob; readonly begin: number }[] = [];
  #length = 0; // UTF-16 units of the text of all tokens
  #given = 0; // of what was given out

  constructor(tokenizer: Pick<Tokenizer, "bytesOf">) {
    this.#detokenizer = new Detokenizer(tokenizer);
  }

  /** The chunk with the log-probabilities of the tokens whose text has begun to be given out. */
  with(chunk: Chunk): Chunk {
    for (const [i, logprob] of (chunk.logprobs ?? []).entries()) {
      this.#held.push({ logprob, begin: this.#length });
      const isWritten = i < chunk.tokens.length; // the token that ended the text is not
      if (isWritten) this.#length += this.#detokenizer.push(logprob.token).length;
    }
    this.#given += chunk.text.length;
    const whole = chunk.finishReason !== undefined && this.#given >= this.#length; // nothing was cut off
    const waiting = whole ? -1 : this.#held.findIndex(({ begin }) => begin >= this.#given);
    const told = this.#held.splice(0, waiting < 0 ? this.#held.length : waiting);
    return { ...chunk, logprobs: told.map(({ logprob }) => logprob) };
  }
}
