// Chunks of text as the OpenAI API's objects: whole answers and events of a stream, for both kinds of completion.

import { randomUUID } from "node:crypto";
import type { Chunk, PromptLogprob, TokenLogprob, Usage } from "../generate/request.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** What is the same in all objects of an answer. */
export interface AnswerHead {
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

/** A new answer's head. */
export function answerHead(kind: "cmpl" | "chatcmpl", model: string): AnswerHead {
  return { id: `${kind}-${randomUUID().replaceAll("-", "")}`, created: Math.floor(Date.now() / 1000), model };
}

/** A text as far as it has come. */
export interface Written {
  text: string;
  logprobs: TokenLogprob[];
  /** Of the prompt, where they were asked for. */
  promptLogprobs: readonly PromptLogprob[];
  finishReason: Chunk["finishReason"];
  usage: Usage;
}

/** An empty text. */
export function nothingWritten(): Written {
  const usage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 };
  return { text: "", logprobs: [], promptLogprobs: [], finishReason: undefined, usage };
}

/** Adds a chunk to what was written. */
export function addChunk(written: Written, { text, logprobs, promptLogprobs, finishReason, usage }: Chunk): void {
  written.text += text;
  if (logprobs) written.logprobs.push(...logprobs);
  if (promptLogprobs) written.promptLogprobs = promptLogprobs;
  if (finishReason) written.finishReason = finishReason;
  if (usage) written.usage = usage;
}

/** Tokens of an answer; the `n` texts of a prompt have read it once. */
export function usageOf(written: readonly Written[], n: number): Usage {
  const sum = (values: number[]) => values.reduce((all, value) => all + value, 0);
  const prompts = written.filter((_, i) => i % n === 0).map(({ usage }) => usage);
  return {
    promptTokens: sum(prompts.map(({ promptTokens }) => promptTokens)),
    cachedTokens: sum(prompts.map(({ cachedTokens }) => cachedTokens)),
    completionTokens: sum(written.map(({ usage }) => usage.completionTokens)),
  };
}

/** The API's `usage`. */
export function usageObject({ promptTokens, cachedTokens, completionTokens }: Usage) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  };
}

/** The API's `finish_reason`. */
export function finishReasonOf(reason: Written["finishReason"]): "stop" | "length" | null {
  return reason === "abort" ? "stop" : (reason ?? null);
}

/** `logprobs` of a completion; `before` are characters that came before these tokens. */
export function completionLogprobs(
  logprobs: readonly PromptLogprob[],
  before: number,
  tokenizer: Pick<Tokenizer, "bytesOf">,
) {
  let offset = before;
  return {
    tokens: logprobs.map(({ text }) => text),
    token_logprobs: logprobs.map(({ logprob }) => logprob ?? null),
    top_logprobs: logprobs.map(({ token, text, logprob, top }) => {
      return logprob === undefined ? null : byText([{ token, text, logprob }, ...top], tokenizer);
    }),
    text_offset: logprobs.map(({ text }) => {
      offset += text.length;
      return offset - text.length;
    }),
  };
}

/**
 * Log-probabilities by text. Of several tokens with one text, as parts of characters have, the first goes by it, the others by
 * their bytes, as OpenAI's API names them: `bytes:\xe6\x97`.
 */
function byText(
  tokens: readonly Omit<TokenLogprob, "top">[],
  tokenizer: Pick<Tokenizer, "bytesOf">,
): Record<string, number> {
  const found = new Map<string, Omit<TokenLogprob, "top">>();
  for (const one of tokens) {
    const before = found.get(one.text);
    if (!before) found.set(one.text, one);
    else if (before.token !== one.token) found.set(bytesName(tokenizer.bytesOf(one.token)), one);
  }
  return Object.fromEntries([...found].map(([name, { logprob }]) => [name, logprob]));
}

function bytesName(bytes: Uint8Array): string {
  return `bytes:${Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}`;
}

/** `logprobs` of a chat completion; bytes are the tokens' own, which may be parts of characters. */
export function chatLogprobs(logprobs: readonly TokenLogprob[], tokenizer: Pick<Tokenizer, "bytesOf">) {
  const one = ({ token, text, logprob }: Omit<TokenLogprob, "top">) => ({
    token: text,
    logprob,
    bytes: [...tokenizer.bytesOf(token)],
  });
  return {
    content: logprobs.map(({ top, ...token }) => ({ ...one(token), top_logprobs: top.map(one) })),
    refusal: null,
  };
}
