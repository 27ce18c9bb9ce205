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

/** Asks for a path. @throws RequestError unless the answer is a good one; an abort passes through as it is. */
export async function request(path: string, options: RequestInit = {}): Promise<Response> {
  const headers = { ...keyHeaders(), ...(options.body ? { "content-type": "application/json" } : {}) };
  let response: Response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new RequestError("The server does not answer. Is it still running?", 0);
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
  return (await (await request(path, { signal })).json()) as T;
}
