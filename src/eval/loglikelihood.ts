// Log-likelihoods of continuations after their contexts, as EleutherAI's lm-evaluation-harness defines them
// (`loglikelihood` of its causal models). Knows tokens only, no text.

import type { Judge } from "./judge.ts";
import { rollingWindows } from "./perplexity.ts";
import type { Judged, Window } from "./scorer.ts";

/** Tokens to score after others; the context has one at least. */
export interface Continuation {
  readonly context: ArrayLike<number>;
  readonly continuation: ArrayLike<number>;
}

/** What a model says of a continuation. */
export interface Likelihood {
  /** log p of all its tokens, in nats. */
  readonly logprob: number;
  /** Whether each of its tokens is the likeliest at its place. */
  readonly greedy: boolean;
  /** Tokens of the continuation. */
  readonly tokens: number;
}

/** Whether a window lacks part of the context, or does not even hold the continuation. */
export type Fit = "whole" | "cut" | "pieces";

/** A window and how many of its last labels count. */
type Piece = Window & { readonly scored: number };

/** How a continuation lies in windows of up to `longest` tokens. */
export function fitOf({ context, continuation }: Continuation, longest: number): Fit {
  if (continuation.length > longest) return "pieces";
  return context.length + continuation.length > longest + 1 ? "cut" : "whole";
}

/**
 * The windows that score a continuation: one, whose context loses its beginning if it does not fit; or where the
 * continuation alone does not fit, rolling ones after the context's last token (there the harness gives up).
 */
function piecesOf({ context, continuation }: Continuation, longest: number): Piece[] {
  if (continuation.length === 0) return [];
  if (continuation.length > longest) {
    return [...rollingWindows(continuation, longest, context[context.length - 1] as number)];
  }
  const kept = Math.min(context.length, longest + 1 - continuation.length);
  const tokens = new Int32Array(kept + continuation.length);
  for (let i = 0; i < kept; i++) tokens[i] = context[context.length - kept + i] as number;
  tokens.set(continuation, kept);
  return [{ inputs: tokens.subarray(0, -1), labels: tokens.subarray(1), scored: continuation.length }];
}

/** The likelihood of each continuation, in order. `told` counts the windows, of which there is one each as a rule. */
export function loglikelihoods(
  judge: Judge,
  continuations: readonly Continuation[],
  told?: (done: number) => void,
): Promise<Likelihood[]> {
  const pieces = continuations.map((one) => piecesOf(one, judge.longest));
  return summed(judge, pieces, told);
}

/** The log-likelihood of each text of tokens by rolling windows that begin with `prefix` (`loglikelihood_rolling`). */
export function rollingLoglikelihoods(
  judge: Judge,
  texts: readonly ArrayLike<number>[],
  prefix: number,
  told?: (done: number) => void,
): Promise<Likelihood[]> {
  const pieces = texts.map((tokens) => [...rollingWindows(tokens, judge.longest, prefix)]);
  return summed(judge, pieces, told);
}

async function summed(
  judge: Judge,
  pieces: readonly (readonly Piece[])[],
  told?: (done: number) => void,
): Promise<Likelihood[]> {
  const judged = (await judge.judge(pieces.flat(), told)).values();
  return pieces.map((windows) => {
    let [logprob, greedy, tokens] = [0, true, 0];
    for (const { scored } of windows) {
      const { scores, best } = judged.next().value as Judged;
      for (let at = scores.length - scored; at < scores.length; at++) {
        logprob += scores[at] as number;
        greedy &&= (scores[at] as number) >= (best[at] as number);
      }
      tokens += scored;
    }
    return { logprob, greedy, tokens };
  });
}
