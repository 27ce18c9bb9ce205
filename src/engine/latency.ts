// How long sequences took of late: in the queue, to the first token, and from token to token. Knows no model and no clock
// but the one it is given.

/** Seconds that half of the last sequences took at most, and nineteen of twenty. */
export interface Quantiles {
  readonly median: number;
  readonly p95: number;
}

/** Latencies of the last sequences; a kind is left out before there was any. */
export interface Latency {
  /** From arrival to the first step that computes any of it. */
  readonly queue?: Quantiles;
  /** From arrival to the first token. */
  readonly firstToken?: Quantiles;
  /** Between tokens of a sequence, its mean. */
  readonly perToken?: Quantiles;
}

/** Sequences that quantiles are taken over. */
const recentSequences = 128;

interface Times {
  readonly arrival: number;
  began?: number;
  first?: number;
  last?: number;
  tokens: number;
}

/** Keeps the times of sequences. */
export class LatencyLog {
  readonly #now: () => number;
  readonly #open = new Map<number, Times>();
  readonly #recent: Record<keyof Latency, number[]> = { queue: [], firstToken: [], perToken: [] };

  /** `now` is a clock in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** A sequence has come. */
  arrived(id: number): void {
    this.#open.set(id, { arrival: this.#now(), tokens: 0 });
  }

  /** A step computes some of it. */
  runs(id: number): void {
    const times = this.#open.get(id);
    if (!times || times.began !== undefined) return;
    times.began = this.#now();
    this.#note("queue", times.began - times.arrival);
  }

  /** A token of it was drawn. */
  wrote(id: number): void {
    const times = this.#open.get(id);
    if (!times) return;
    times.last = this.#now();
    times.tokens++;
    if (times.first !== undefined) return;
    times.first = times.last;
    this.#note("firstToken", times.first - times.arrival);
  }

  /** It has ended, however. */
  ended(id: number): void {
    const times = this.#open.get(id);
    this.#open.delete(id);
    if (times?.first === undefined || times.last === undefined || times.tokens < 2) return;
    this.#note("perToken", (times.last - times.first) / (times.tokens - 1));
  }

  /** How long the last ones took. */
  get summary(): Latency {
    const entries = Object.entries(this.#recent).filter(([, values]) => values.length > 0);
    return Object.fromEntries(entries.map(([kind, values]) => [kind, quantiles(values)]));
  }

  #note(kind: keyof Latency, milliseconds: number): void {
    const values = this.#recent[kind];
    values.push(milliseconds / 1000);
    if (values.length > recentSequences) values.shift();
  }
}

function quantiles(values: readonly number[]): Quantiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] as number;
  return { median: at(0.5), p95: at(0.95) };
}
