// How well a model predicts documents: the harness's rolling log-likelihood (EleutherAI lm-evaluation-harness,
// `loglikelihood_rolling`), and its perplexities: per token, per word, and bits per byte of the source.

import type { Window, WindowScorer } from "./scorer.ts";

/** A document as the model reads it, with the sizes of its text. */
export interface ScoredDocument {
  readonly tokens: ArrayLike<number>;
  /** UTF-8 bytes of the text. */
  readonly bytes: number;
  /** Words of the text, split at whitespace as the harness does for Wikitext. */
  readonly words: number;
}

/** A held-out evaluation. */
export interface Perplexity {
  /** Mean of −log p, nats per token. */
  readonly loss: number;
  /** exp(loss). */
  readonly perplexity: number;
  /** Nats of all documents / (bytes · ln 2): comparable between tokenizers. */
  readonly bitsPerByte: number;
  /** exp(nats of all documents / words): the harness's `word_perplexity`. */
  readonly wordPerplexity: number;
  readonly tokens: number;
  readonly bytes: number;
  readonly words: number;
}

/**
 * Cuts a document into windows so that every token is scored once: disjoint pieces of `context` tokens, each read
 * after the token before it, the first after `prefix`; a short last piece is given the context that fits before it
 * (the harness's `get_rolling_token_windows` with `context_len=1`). `scored` counts the last labels that are new.
 */
export function* rollingWindows(
  tokens: ArrayLike<number>,
  context: number,
  prefix: number,
): Generator<Window & { scored: number }> {
  const all = new Int32Array(1 + tokens.length);
  all[0] = prefix;
  all.set(tokens, 1);
  for (let start = 0; start < tokens.length; start += context) {
    const end = Math.min(tokens.length, start + context);
    const from = Math.max(0, end - context);
    yield { inputs: all.subarray(from, end), labels: all.subarray(from + 1, end + 1), scored: end - start };
  }
}

/** Evaluates a model on documents, one at a time in memory. */
export async function perplexity(
  scorer: WindowScorer,
  documents: Iterable<ScoredDocument> | AsyncIterable<ScoredDocument>,
  { context, prefix }: { context: number; prefix: number },
): Promise<Perplexity> {
  let [nats, tokens, bytes, words] = [0, 0, 0, 0];
  const pending: number[] = [];
  async function* windows() {
    for await (const document of documents) {
      bytes += document.bytes;
      words += document.words;
      for (const window of rollingWindows(document.tokens, context, prefix)) {
        pending.push(window.scored);
        yield window;
      }
    }
  }
  for await (const scores of scorer.score(windows())) {
    const scored = pending.shift() as number;
    for (const score of scores.subarray(scores.length - scored)) nats -= score;
    tokens += scored;
  }
  const loss = nats / tokens;
  return {
    loss,
    perplexity: Math.exp(loss),
    bitsPerByte: nats / (bytes * Math.LN2),
    wordPerplexity: Math.exp(nats / words),
    tokens,
    bytes,
    words,
  };
}

/** Mean nats per token over consecutive windows of a token stream: a quick validation loss during training. */
export async function streamLoss(scorer: WindowScorer, windows: Iterable<Window>): Promise<number> {
  let [nats, tokens] = [0, 0];
  for await (const scores of scorer.score(windows)) {
    for (const score of scores) nats -= score;
    tokens += scores.length;
  }
  return nats / tokens;
}
