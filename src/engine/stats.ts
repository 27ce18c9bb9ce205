// What an engine tells of itself: who runs, what the cache holds, how fast it goes.

import type { Latency } from "./latency.ts";

/** How an engine stands. */
export interface EngineStats {
  /** Sequences that hold blocks, and those that wait for some. */
  readonly running: number;
  readonly waiting: number;
  /** Blocks by state: `used` by a sequence, `cached` for the next that begins alike, `free`. `shared`: used by several. */
  readonly blocks: { total: number; used: number; cached: number; free: number; shared: number };
  /** Blocks that the waiting sequences take now: all of them, and the next one, whose number is `next`. */
  readonly wanted: { blocks: number; first: number; next?: number };
  /** The numbers of those that run. */
  readonly runningIds: readonly number[];
  /** Tokens of a block. */
  readonly blockSize: number;
  /** Bytes allocated for keys and values, and those of blocks in use. */
  readonly kvBytes: number;
  readonly kvBytesUsed: number;
  /** Tokens that running sequences hold; a shared one counts for each. */
  readonly tokens: number;
  /** Part of all prompt tokens that were found in the prefix cache. */
  readonly prefixHitRate: number;
  /** How often a sequence gave its blocks back and had to be computed again. */
  readonly preemptions: number;
  /** How long the last sequences took. */
  readonly latency: Latency;
  readonly steps: number;
  /** Tokens computed so far. */
  readonly prefillTokens: number;
  readonly decodeTokens: number;
  /** Tokens per second over the last steps that had such tokens. */
  readonly prefillRate: number;
  readonly decodeRate: number;
  /** Part of the last steps' time that was spent outside the compiled graph. */
  readonly hostShare: number;
}

type Summary = Pick<
  EngineStats,
  "steps" | "prefillTokens" | "decodeTokens" | "prefillRate" | "decodeRate" | "hostShare"
>;

interface Step {
  readonly prefill: number;
  readonly decode: number;
  readonly seconds: number;
  readonly graphSeconds: number;
}

/** Steps that rates are taken over. */
const recentSteps = 128;

/** Keeps count of steps. */
export class StepLog {
  readonly #recent: Step[] = [];
  #steps = 0;
  #prefill = 0;
  #decode = 0;

  /** Notes a step of so many tokens that took so long, and so long of it in the compiled graph. */
  add({ prefill, decode }: { prefill: number; decode: number }, seconds: number, graphSeconds: number): void {
    this.#steps++;
    this.#prefill += prefill;
    this.#decode += decode;
    this.#recent[this.#steps % recentSteps] = { prefill, decode, seconds, graphSeconds };
  }

  /** Steps so far. */
  get steps(): number {
    return this.#steps;
  }

  /** Totals, and rates over the last steps. */
  get summary(): Summary {
    const steps = this.#recent.filter(Boolean);
    const rate = (of: (step: Step) => number) => {
      const counted = steps.filter((step) => of(step) > 0);
      return counted.reduce((sum, step) => sum + of(step), 0) / total(counted, ({ seconds }) => seconds) || 0;
    };
    const seconds = total(steps, (step) => step.seconds);
    return {
      steps: this.#steps,
      prefillTokens: this.#prefill,
      decodeTokens: this.#decode,
      prefillRate: rate(({ prefill }) => prefill),
      decodeRate: rate(({ decode }) => decode),
      hostShare: seconds === 0 ? 0 : 1 - total(steps, (step) => step.graphSeconds) / seconds,
    };
  }
}

function total(steps: readonly Step[], of: (step: Step) => number): number {
  return steps.reduce((sum, step) => sum + of(step), 0);
}
