// Fetches with limits: a server that does not answer, or stops in the middle, is given up, and an answer that is too long
// becomes an error. Does not know what is fetched.

import { InputError } from "../error.ts";

/** How long is waited, and how much is taken. */
export interface FetchLimits {
  /** Until an answer begins. */
  readonly answerMs?: number;
  /** Until more of it comes. */
  readonly stallMs?: number;
  /** Bytes of an answer to a request that names no range; no limit if not given. */
  readonly mostBytes?: number;
}

const standard = { answerMs: 30_000, stallMs: 30_000 };

/** Bytes of a whole answer to a request for a range: what else it says must be short. */
const mostBytesInsteadOfRange = 2 ** 24;

/** Whether an error means that somebody stopped it, as opposed to a failure. */
export function isAbort(error: unknown): boolean {
  return (error as Error | undefined)?.name === "AbortError";
}

/** Why fetching failed, in words. */
export function failureOf(error: unknown): string {
  const { cause, message } = error as Error;
  return (cause as Error | undefined)?.message || message || String(error);
}

/**
 * `fetch` within limits. The body of what it resolves to ends with an error where a limit is passed.
 * @throws InputError that names the address, for a limit; whatever `fetch` throws.
 */
export async function boundedFetch(
  input: string | URL | Request,
  init: RequestInit = {},
  limits: FetchLimits = {},
): Promise<Response> {
  const { answerMs, stallMs } = { ...standard, ...limits };
  const url = input instanceof Request ? input.url : String(input);
  const controller = new AbortController();
  const stop = () => controller.abort(init.signal?.reason);
  if (init.signal?.aborted) stop();
  init.signal?.addEventListener("abort", stop);
  const done = () => init.signal?.removeEventListener("abort", stop);
  try {
    const waiting = setTimeout(() => controller.abort(late(url, "does not answer", answerMs)), answerMs);
    const answer = await fetch(input, { ...init, signal: controller.signal }).finally(() => clearTimeout(waiting));
    const range = rangeOf(new Headers(init.headers ?? (input instanceof Request ? input.headers : undefined)));
    const most = range ? (answer.status === 206 ? range.end - range.start : mostBytesInsteadOfRange) : limits.mostBytes;
    if (!answer.body) {
      done();
      return answer;
    }
    const body = bounded(answer.body, { url, stallMs, most: most ?? Number.POSITIVE_INFINITY, done });
    const { status, statusText, headers } = answer;
    return Object.defineProperty(new Response(body, { status, statusText, headers }), "url", { value: answer.url });
  } catch (error) {
    done();
    throw error;
  }
}

/** The bytes that a request names, its end excluded. */
function rangeOf(headers: Headers): { start: number; end: number } | undefined {
  const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(headers.get("range") ?? "") ?? [];
  return end === undefined ? undefined : { start: Number(start), end: Number(end) + 1 };
}

function bounded(
  body: ReadableStream<Uint8Array>,
  { url, stallMs, most, done }: { url: string; stallMs: number; most: number; done: () => void },
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let taken = 0;
  const end = (error: Error) => {
    done();
    reader.cancel(error).catch(() => {}); // the error is told by whoever reads
    return error;
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      let waiting: NodeJS.Timeout | undefined;
      const stalled = new Promise<never>((_, reject) => {
        waiting = setTimeout(() => reject(late(url, "sends nothing more", stallMs)), stallMs);
      });
      try {
        const { value, done: isEnd } = await Promise.race([reader.read(), stalled]);
        if (isEnd) {
          done();
          controller.close();
          return;
        }
        taken += value.byteLength;
        if (taken > most)
          throw new InputError(`${url}: sends more than the ${most} bytes that it may; is it the right one?`);
        controller.enqueue(value);
      } catch (error) {
        controller.error(end(error as Error));
      } finally {
        clearTimeout(waiting);
      }
    },
    cancel(reason) {
      done();
      return reader.cancel(reason);
    },
  });
}

function late(url: string, what: string, ms: number): InputError {
  return new InputError(`${url}: ${what} within ${ms / 1000} s; check the address and the network, and try again`);
}
