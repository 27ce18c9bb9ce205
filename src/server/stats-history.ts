// The last minutes of all engines: a sample each second, for the page's curves.

import type { StatsReply, StatsSample } from "./page-api.ts";
import type { ServedModels } from "./served-models.ts";

/** The most samples that are kept: ten minutes of them. */
const keptSamples = 600;

/** Samples of engines as time goes by. */
export class StatsHistory implements Disposable {
  readonly #models: ServedModels;
  readonly #samples: StatsSample[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(models: ServedModels) {
    this.#models = models;
    this.#timer = setInterval(() => this.#take(), 1000);
    this.#timer.unref();
    this.#take();
  }

  /** How it stands, with the samples after `since` (milliseconds since 1970). */
  reply(since: number): StatsReply {
    const models = Object.fromEntries(this.#models.loaded.map(({ id, engine }) => [id, engine.stats()]));
    const history = this.#samples.filter(({ time }) => time > since);
    return { time: Date.now(), kvMemory: this.#models.kvMemory, models, history };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #take(): void {
    const entries = this.#models.loaded.map(({ id, engine }) => {
      const { running, waiting, kvBytesUsed, prefillTokens, decodeTokens } = engine.stats();
      return [id, { running, waiting, kvBytesUsed, prefillTokens, decodeTokens }] as const;
    });
    this.#samples.push({ time: Date.now(), models: Object.fromEntries(entries) });
    if (this.#samples.length > keptSamples) this.#samples.shift();
  }
}
