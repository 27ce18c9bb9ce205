// What a caller asks of an engine and what it gets, in text. Plain data: it crosses processes.

import { z } from "zod";
import type { FinishReason } from "../engine/core.ts";
import type { ToolCalls } from "../grammar/tool-calls.ts";
import { checked } from "../options.ts";
import { samplingSchema } from "../sampling/sampling.ts";

/** The options; who takes them checks them: tokens are drawn, texts stopped and grammars made elsewhere. */
export const generateSchema = z.object({
  ...samplingSchema.shape,
  /** Most tokens to add; what the context and the cache hold if not given. */
  maxTokens: z.int().min(1).optional().describe("most tokens to write (default: what the context holds)"),
  /** Texts that end it; neither they nor what follows is given out. */
  stop: z
    .union([z.string(), z.array(z.string()).readonly()])
    .optional()
    .describe("texts that end it, and are not written"),
  /** Tokens that end it, beside the end of text. */
  stopTokens: z.array(z.int().min(0)).readonly().optional().describe("tokens that end it"),
  /** Go on after the end of text. */
  ignoreEnd: z.boolean().default(false).describe("go on after the end of text"),
  /** Several texts for one prompt, whose keys and values they share. The seeds are seed, seed + 1, … */
  n: z.int().min(1).max(128).default(1).describe("texts for each prompt"),
  /**
   * Report log-probabilities of the prompt's tokens, and of so many of the likeliest, 0 … 20. Its beginning is then not taken
   * from the prefix cache, and `maxTokens` may be 0.
   */
  promptLogprobs: samplingSchema.shape.logprobs.describe("report log-probabilities of the prompt's tokens"),
  /** Only texts of a form. */
  format: z.custom<Format>().optional(),
});

/** A form of texts: JSON of any kind, or of a schema; what a regular expression matches; one of some; calls of tools. */
export type Format =
  | "json"
  | { readonly jsonSchema: object }
  | { readonly regex: string }
  | { readonly choices: readonly string[] }
  | { readonly toolCalls: ToolCalls };

/** How to go on from a prompt. */
export type GenerateOptions = Readonly<z.input<typeof generateSchema>>;

/** How many texts `n` asks for. @throws InputError if it is no such number. */
export function textCount(n?: number): number {
  const { minValue, maxValue } = generateSchema.shape.n.unwrap();
  const rule = `must be a whole number from ${minValue} to ${maxValue}`;
  return checked(generateSchema.pick({ n: true }), { n }, String, ({ input }) => `${rule}, found ${input}`).n;
}

/** A token with its logarithmic probability, and the likeliest others at its place. */
export interface TokenLogprob {
  readonly token: number;
  /** Its text; U+FFFD for part of a character. */
  readonly text: string;
  readonly logprob: number;
  readonly top: readonly Omit<TokenLogprob, "top">[];
}

/** A prompt's token; the first one has no log-probability, unless tokens stand before it that are not shown. */
export interface PromptLogprob extends Omit<TokenLogprob, "logprob"> {
  readonly logprob: number | undefined;
}

/** What is new of a text. */
export interface Chunk {
  /** Which of `n` texts. */
  readonly index: number;
  /** Whole characters; what could yet become a stop text is held back. */
  readonly text: string;
  readonly tokens: readonly number[];
  /** One for each token, where `logprobs` asked for them; with `promptLogprobs` for a token that ended it, too. */
  readonly logprobs?: readonly TokenLogprob[];
  /** Of the prompt's tokens (of a text without those that stand before it), with a text's first chunk, where asked for. */
  readonly promptLogprobs?: readonly PromptLogprob[];
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
