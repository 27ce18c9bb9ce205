// What a caller asks of an engine and what it gets, in text. Plain data: it crosses processes.

import type { FinishReason } from "../engine/core.ts";
import { InputError } from "../error.ts";
import type { Sampling } from "../sampling/sampling.ts";

/** How to go on from a prompt. */
export interface GenerateOptions extends Partial<Sampling> {
  /** Most tokens to add; what the context and the cache hold if not given. */
  readonly maxTokens?: number;
  /** Texts that end it; neither they nor what follows is given out. */
  readonly stop?: string | readonly string[];
  /** Tokens that end it, beside the end of text. */
  readonly stopTokens?: readonly number[];
  /** Go on after the end of text. */
  readonly ignoreEnd?: boolean;
  /** Several texts for one prompt, whose keys and values they share. The seeds are seed, seed + 1, … */
  readonly n?: number;
  /** Only JSON: of any kind, or of a JSON schema. */
  readonly format?: "json" | { readonly jsonSchema: object };
}

/** The most texts of one prompt. */
const mostTexts = 128;

/** How many texts `n` asks for. @throws InputError if it is no such number. */
export function textCount(n = 1): number {
  if (Number.isInteger(n) && n >= 1 && n <= mostTexts) return n;
  throw InputError.at("n", `must be a whole number from 1 to ${mostTexts}, found ${n}`);
}

/** A token with its logarithmic probability, and the likeliest others at its place. */
export interface TokenLogprob {
  readonly token: number;
  /** Its text; U+FFFD for part of a character. */
  readonly text: string;
  readonly logprob: number;
  readonly top: readonly Omit<TokenLogprob, "top">[];
}

/** What is new of a text. */
export interface Chunk {
  /** Which of `n` texts. */
  readonly index: number;
  /** Whole characters; what could yet become a stop text is held back. */
  readonly text: string;
  readonly tokens: readonly number[];
  /** One for each token, where `logprobs` asked for them. */
  readonly logprobs?: readonly TokenLogprob[];
  /** Set on a text's last chunk. */
  readonly finishReason?: FinishReason | "abort";
  /** What the text took so far; absent where it ended before it ran. */
  readonly usage?: Usage;
}

/** Tokens that a text took. */
export interface Usage {
  readonly promptTokens: number;
  /** Prompt tokens found in the prefix cache. */
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

/**
 * A prompt: text (read after the end-of-text token, as documents are in training); text that spells out special tokens
 * itself, as chat templates write it; or token ids as they are.
 */
export type Prompt = string | { readonly template: string } | readonly number[] | Int32Array | Uint32Array;
