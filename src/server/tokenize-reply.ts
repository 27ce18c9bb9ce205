// The answer to POST /tokenize: of a short text at once, of a long one in a thread of its own (tokenize-thread.ts), for a
// megabyte of text takes a second.

import type { Tokenizer } from "../text/tokenizer.ts";
import { Thread } from "./thread.ts";

/** What is asked of a tokenizer. */
export interface TokenizeQuestion {
  readonly prompt: string;
  /** Ids that come first. */
  readonly prefix: readonly number[];
  /** Whether the tokens' texts are wanted. */
  readonly texts: boolean;
  /** The model's context, which is told. */
  readonly context: number;
}

/** The same of the tokenizer in a run's directory. */
export type ThreadQuestion = TokenizeQuestion & { readonly run: string };

/** UTF-16 units of a text that is not worth a thread. */
const shortTextUnits = 1 << 13;

const thread = new Thread<ThreadQuestion, Uint8Array<ArrayBuffer>>(new URL("./tokenize-thread.js", import.meta.url));

/** The body of the answer, JSON in UTF-8. */
export async function tokenizeReply(
  { tokenizer, run }: { readonly tokenizer: Tokenizer; readonly run: string },
  question: TokenizeQuestion,
): Promise<Uint8Array<ArrayBuffer>> {
  if (question.prompt.length <= shortTextUnits) return tokenized(tokenizer, question);
  return thread.ask({ ...question, run });
}

/** The same at once. */
export function tokenized(
  tokenizer: Tokenizer,
  { prompt, prefix, texts, context }: TokenizeQuestion,
): Uint8Array<ArrayBuffer> {
  const tokens = [...prefix, ...tokenizer.encode(prompt, { special: true })];
  const token_strs = texts ? tokens.map((id) => tokenizer.decode([id])) : null;
  return new TextEncoder().encode(JSON.stringify({ count: tokens.length, max_model_len: context, tokens, token_strs }));
}
