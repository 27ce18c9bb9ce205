// A completion as it is written: the OpenAI endpoints' server-sent events as pieces of text with the tokens so far.

import { lines, RequestError, request } from "./request.ts";

/** How a completion is drawn. */
export interface Sampling {
  /** Most tokens to write; what the context holds if not given. */
  readonly maxTokens: number | undefined;
  readonly temperature: number;
  readonly topP: number;
  readonly seed: number | undefined;
}

/** A message of a chat. */
export interface Message {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** What is to be continued: a text, or a chat. */
export type Beginning = { readonly prompt: string } | { readonly messages: readonly Message[] };

/** Tokens of a request so far. */
export interface Usage {
  readonly prompt: number;
  readonly completion: number;
  readonly cached: number;
}

/** What one event adds. */
export interface Piece {
  readonly text: string;
  readonly usage: Usage | undefined;
  /** Set where the text has ended. */
  readonly finishReason: string | undefined;
}

interface Chunk {
  readonly choices?: readonly {
    readonly text?: string;
    readonly delta?: { readonly content?: string | null };
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly prompt_tokens_details?: { readonly cached_tokens?: number } | null;
  } | null;
  readonly error?: { readonly message: string };
}

/**
 * Asks `model` to go on and yields what it writes. Ends early, with an AbortError, when `signal` does.
 * @throws RequestError if the server ends without saying that the text has.
 */
export async function* completion(
  model: string,
  beginning: Beginning,
  { maxTokens, temperature, topP, seed }: Sampling,
  signal: AbortSignal,
): AsyncGenerator<Piece> {
  const path = "messages" in beginning ? "/v1/chat/completions" : "/v1/completions";
  const body = {
    ...{ model, ...beginning, temperature, top_p: topP, stream: true },
    ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }),
    ...(seed === undefined ? {} : { seed }),
    stream_options: { include_usage: true, continuous_usage_stats: true },
  };
  const response = await request(path, { method: "POST", body: JSON.stringify(body), signal });
  for await (const line of lines(response)) {
    if (!line.startsWith("data:")) continue;
    const data = line.slice(5).trim();
    if (data === "[DONE]") return;
    const { choices, usage, error } = JSON.parse(data) as Chunk;
    if (error) throw new Error(error.message);
    yield {
      finishReason: choices?.[0]?.finish_reason ?? undefined,
      text: choices?.[0]?.text ?? choices?.[0]?.delta?.content ?? "",
      usage: usage
        ? {
            prompt: usage.prompt_tokens,
            completion: usage.completion_tokens,
            cached: usage.prompt_tokens_details?.cached_tokens ?? 0,
          }
        : undefined,
    };
  }
  throw new RequestError("The answer broke off: the server closed it before its end. Ask again.", 0);
}
