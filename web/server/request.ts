// Requests to the server that gave the page: with the key, and with its errors as sentences.

import { keyHeaders, keyRefused } from "./access-key.ts";

/** What the server answered instead of what was asked. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  /** The HTTP status; 0 where there was no answer. */
  readonly status: number;
  /** The API's word for it, if it has one. */
  readonly code: string | undefined;

  constructor(message: string, status: number, code?: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const wentAway = "The server went away before the answer had ended. Is it still running?";

/** What a request without an answer is told by; an abort stays as it is. */
function unanswered(error: unknown, message: string): Error {
  return (error as Error).name === "AbortError" ? (error as Error) : new RequestError(message, 0);
}

/** Asks for a path. @throws RequestError unless the answer is a good one; an abort passes through as it is. */
export async function request(path: string, options: RequestInit = {}): Promise<Response> {
  const headers = { ...keyHeaders(), ...(options.body ? { "content-type": "application/json" } : {}) };
  let response: Response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    throw unanswered(error, "The server does not answer. Is it still running?");
  }
  if (response.status === 401) keyRefused();
  if (response.ok) return response;
  const body = (await response.json().catch(() => undefined)) as
    | { error?: { message?: string; code?: string | null } }
    | undefined;
  const { message = `The server answered ${response.status}.`, code } = body?.error ?? {};
  throw new RequestError(message, response.status, code ?? undefined);
}

/** The JSON at a path. */
export async function requestJson<T>(path: string, signal: AbortSignal): Promise<T> {
  const response = await request(path, { signal });
  return (await response.json().catch((error) => {
    throw unanswered(error, wentAway);
  })) as T;
}

/** The lines of an answer as they come. @throws RequestError where the server is lost on the way. */
export async function* lines(response: Response): AsyncGenerator<string> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read().catch((error) => {
      throw unanswered(error, wentAway);
    });
    if (done) return;
    const parts = (rest + decoder.decode(value, { stream: true })).split(/\r?\n/);
    rest = parts.pop() as string;
    yield* parts;
  }
}
