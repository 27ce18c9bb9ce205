// A model with its weights that scores windows of very different lengths: one compiled program for each of a few lengths, so
// that short ones are not padded to the context and XLA compiles few programs. Knows tokens only, no text.

import type { ModelConfig } from "../model/config.ts";
import type { Precision } from "../model/precision.ts";
import type { Buffers, Device } from "../runtime/device.ts";
import { inGroups } from "./groups.ts";
import { type Judged, Scorer, scoresOf, type Window, type WindowScorer, windowsAtOnce } from "./scorer.ts";

/** Scores any number of windows, in whatever order suits it, and gives them back in theirs. */
export interface Judge {
  /** The longest window. */
  readonly longest: number;
  /** What the model says of each window's labels; `told` of how many are done, now and then. */
  judge(windows: readonly Window[], told?: (done: number) => void): Promise<Judged[]>;
}

/** The shortest length that is compiled, if nothing else is asked. */
const shortestLength = 16;

/** Windows of a stream that are sorted by length together, at least. */
const sortedWindows = 16;

/** Lengths to compile: powers of two, and halfway between them where compiling takes no time; the longest at last. */
export function bucketLengths(longest: number, shapes: "any" | "fixed", shortest = shortestLength): number[] {
  const lengths: number[] = [];
  for (let length = shortest; length < longest; length *= 2) {
    lengths.push(length);
    const halfway = length * 1.5;
    if (shapes === "any" && halfway < longest) lengths.push(halfway);
  }
  return [...lengths, longest];
}

/** How a judge is made. */
export interface JudgeOptions {
  readonly longest?: number;
  readonly shortest?: number;
  readonly precision?: Precision | undefined;
}

/** Programs for windows of several lengths, compiled when the first window needs one. */
export class BucketJudge implements Judge, Disposable {
  readonly longest: number;
  readonly #device: Device;
  readonly #config: ModelConfig;
  readonly #weights: Buffers;
  readonly #precision: Precision | undefined;
  readonly #lengths: readonly number[];
  readonly #scorers = new Map<number, Scorer>();

  /**
   * Of windows up to `longest` tokens, the model's context if not given; none is compiled for fewer than `shortest`.
   * `weights` stay the caller's.
   */
  constructor(
    device: Device,
    config: ModelConfig,
    weights: Buffers,
    { longest = config.context, shortest, precision }: JudgeOptions = {},
  ) {
    this.longest = longest;
    this.#device = device;
    this.#config = config;
    this.#weights = weights;
    this.#precision = precision;
    this.#lengths = bucketLengths(longest, device.traits.shapes, shortest);
  }

  async judge(windows: readonly Window[], told: (done: number) => void = () => {}): Promise<Judged[]> {
    const found = new Array<Judged>(windows.length);
    let done = 0;
    for (const length of [...this.#lengths].reverse()) {
      const shorter = this.#lengths[this.#lengths.indexOf(length) - 1] ?? -1;
      const places = [...windows.keys()].filter((i) => {
        const size = (windows[i] as Window).inputs.length;
        return size > shorter && (size <= length || length === this.longest); // what is too long, the scorer refuses
      });
      if (places.length === 0) continue;
      const scorer = await this.#scorerOf(length);
      let next = 0;
      for await (const judged of scorer.judge(places.map((i) => windows[i] as Window))) {
        found[places[next++] as number] = judged;
        told(++done);
      }
    }
    return found;
  }

  /** The judge for windows that come one after another, as those of long texts do: a few at a time are sorted. */
  get stream(): WindowScorer {
    const judge = (group: Window[]) => this.judge(group);
    const batch = windowsAtOnce(this.#device, this.#lengths[0] as number);
    const size = batch * Math.ceil(sortedWindows / batch); // whole batches of the shortest length
    return {
      score(windows) {
        return scoresOf(this.judge(windows));
      },
      async *judge(windows) {
        for await (const group of inGroups(windows, size)) yield* await judge(group);
      },
    };
  }

  async #scorerOf(length: number): Promise<WindowScorer> {
    let scorer = this.#scorers.get(length);
    if (!scorer) {
      scorer = await Scorer.create(this.#device, this.#config, { length, precision: this.#precision });
      this.#scorers.set(length, scorer);
    }
    return scorer.with(this.#weights);
  }

  [Symbol.dispose](): void {
    for (const scorer of this.#scorers.values()) scorer[Symbol.dispose]();
    this.#scorers.clear();
  }
}

/** A judge of what scores windows one after another. */
export function plainJudge(scorer: WindowScorer, longest: number): Judge {
  return {
    longest,
    async judge(windows, told = () => {}) {
      const found: Judged[] = [];
      for await (const judged of scorer.judge(windows)) {
        found.push(judged);
        told(found.length);
      }
      return found;
    },
  };
}
