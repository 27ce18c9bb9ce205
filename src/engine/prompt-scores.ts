// What a model says of a prompt's own tokens, gathered as the prompt is read in chunks: of each row of logits only the token's
// log-probability and the likeliest few are kept. Knows no scheduling.

import { InputError } from "../error.ts";
import { type LogProbabilities, logProbabilities } from "../sampling/log-probabilities.ts";
import type { StepRunner } from "./runner.ts";
import type { Slice } from "./scheduler.ts";
import type { Sequence } from "./sequence.ts";

/** What a step computed for a slice: the scores after its sequence's last token, and where asked for after every one. */
export interface StepScores {
  readonly last: Float32Array | undefined;
  readonly all?: readonly Float32Array[];
}

/** Computes slices: the scores after every token where one of their prompts wants them, else after the last alone. */
export async function stepScores(
  runner: StepRunner,
  slices: readonly Slice[],
  promptOf: (sequence: Sequence) => PromptScores | undefined,
): Promise<StepScores[]> {
  if (slices.some(({ sequence }) => promptOf(sequence)?.wanting)) {
    const ends = slices.map(({ sequence: { pending }, count }) => pending === count);
    const rows = await runner.runAll(slices);
    return rows.map((all, i) => ({ all, last: ends[i] ? all.at(-1) : undefined }));
  }
  return (await runner.run(slices)).map((last) => ({ last }));
}

/** A prompt's token, with what the model said of it after those before it. */
export interface ScoredToken extends LogProbabilities {
  readonly token: number;
}

/** The scores of one prompt. */
export class PromptScores {
  readonly #sequence: Sequence;
  readonly #likeliest: number;
  readonly #found: ScoredToken[] = []; // of prompt token i + 1; written again where a preempted prompt is

  /** Keeps so many of the likeliest tokens at each place, 0 … 20. @throws InputError for another count. */
  constructor(sequence: Sequence, likeliest: number) {
    if (!(Number.isInteger(likeliest) && likeliest >= 0 && likeliest <= 20)) {
      throw InputError.at("promptLogprobs", `must be a whole number from 0 to 20, found ${likeliest}`);
    }
    this.#sequence = sequence;
    this.#likeliest = likeliest;
  }

  /** Whether the part of the prompt that is computed next has tokens to score. */
  get wanting(): boolean {
    return this.#sequence.computed < this.#sequence.promptLength - 1;
  }

  /** Takes the logits `[V]` after each of the tokens that are computed now, before they count as computed. */
  take(rows: readonly Float32Array[]): void {
    const { computed, promptLength } = this.#sequence;
    for (const [i, row] of rows.entries()) {
      const next = computed + i + 1;
      if (next >= promptLength) return;
      const [token] = this.#sequence.tokens(next, next + 1) as unknown as [number];
      this.#found[next - 1] = { token, ...logProbabilities(row, token, this.#likeliest) };
    }
  }

  /** Of all the prompt's tokens but the first, in order. */
  get found(): readonly ScoredToken[] {
    return this.#found;
  }
}
