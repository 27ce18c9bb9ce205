// How a study measures a model: a quick validation loss while it trains, the full held-out perplexity when it is done.

import type { ModelConfig } from "../model/config.ts";
import type { Buffers, Device } from "../runtime/device.ts";
import type { Shard } from "../text/shard.ts";
import { type Perplexity, perplexity, type ScoredDocument, streamLoss } from "./perplexity.ts";
import { Scorer, type ScorerOptions, type Window } from "./scorer.ts";

/** Tokens that a quick validation reads. */
const quickTokens = 16384;

/** Measures any weights of one config on one shard. */
export class Evaluation implements Disposable {
  readonly #scorer: Scorer;
  readonly #shard: Shard;
  readonly #context: number;

  private constructor(scorer: Scorer, shard: Shard, context: number) {
    this.#scorer = scorer;
    this.#shard = shard;
    this.#context = context;
  }

  /** Compiles for a model and the documents of `shard`. */
  static async create(device: Device, config: ModelConfig, shard: Shard, options?: ScorerOptions): Promise<Evaluation> {
    const scorer = await Scorer.create(device, config, options);
    return new Evaluation(scorer, shard, config.context);
  }

  /** Mean loss, nats per token, over windows spread evenly over the shard. */
  async quick(weights: Buffers): Promise<number> {
    const [shard, context] = [this.#shard, this.#context];
    const most = Math.floor((shard.tokens - 1) / context);
    const count = Math.min(most, Math.max(1, Math.floor(quickTokens / context)));
    if (count === 0) return (await this.full(weights)).loss;
    const windows = Array.from({ length: count }, (_, i): Window => {
      const tokens = shard.read(Math.floor((i * most) / count) * context, context + 1);
      return { inputs: tokens.subarray(0, -1), labels: tokens.subarray(1) };
    });
    return streamLoss(this.#scorer.with(weights), windows);
  }

  /** Every document of the shard, or of another, by rolling windows (see `perplexity`). */
  async full(weights: Buffers, shard = this.#shard): Promise<Perplexity> {
    const prefix = (shard.document(0).tokens[0] ?? 0) as number; // a shard's documents begin with end-of-text
    return perplexity(this.#scorer.with(weights), documentsOf(shard), {
      context: this.#context,
      prefix,
    });
  }

  [Symbol.dispose](): void {
    this.#scorer[Symbol.dispose]();
  }
}

/** The documents of a shard, as they are scored: without the end-of-text that they begin with. */
export function* documentsOf(shard: Shard): Generator<ScoredDocument> {
  for (let i = 0; i < shard.documents; i++) {
    const { tokens, bytes, words } = shard.document(i);
    yield { tokens: tokens.subarray(1), bytes, words };
  }
}
