// Bytes at a URL, read by HTTP range requests. A file that changes on the server while it is read is an error, not a
// mixture. Knows no formats.

import { InputError } from "../error.ts";
import { boundedFetch, type FetchLimits, failureOf, isAbort } from "./bounded-fetch.ts";
import type { ByteSource } from "./byte-source.ts";

/** How to ask, and how long to wait. */
export interface UrlOptions extends Omit<FetchLimits, "mostBytes"> {
  /** Sent with every request, such as an authorization. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/**
 * The bytes at `url`; one request asks for their number.
 * @throws InputError if the server cannot be reached, refuses, or gives no ranges.
 */
export async function openUrl(url: string, options: UrlOptions = {}): Promise<ByteSource> {
  const first = await answer(url, "bytes=0-0", options);
  await first.body?.cancel();
  const size = sizeOf(first, url);
  const mark = first.headers.get("etag") ?? first.headers.get("last-modified");
  return {
    name: url,
    size,
    async read(start, end) {
      if (end > size) throw new InputError(`${url}: has ${size} bytes, byte ${end} was asked for`);
      if (start === end) return new ArrayBuffer(0);
      const found = await answer(url, `bytes=${start}-${end - 1}`, options);
      const stated = found.headers.get("content-range") ?? "";
      if (sizeOf(found, url) !== size || (found.headers.get("etag") ?? found.headers.get("last-modified")) !== mark) {
        await found.body?.cancel();
        throw new InputError(`${url}: changed while it was read; open it again`);
      }
      if (!stated.startsWith(`bytes ${start}-`)) {
        await found.body?.cancel();
        throw new InputError(`${url}: gave "${stated}" for the bytes from ${start}; try again`);
      }
      const bytes = await body(found, url);
      if (bytes.byteLength !== end - start) {
        throw new InputError(`${url}: gave ${bytes.byteLength} bytes for the ${end - start} from ${start}; try again`);
      }
      return bytes;
    },
  };
}

async function answer(url: string, range: string, options: UrlOptions): Promise<Response> {
  const { headers, signal = null, ...limits } = options;
  let found: Response;
  try {
    const asked = { ...headers, range, "accept-encoding": "identity" };
    found = await boundedFetch(url, { headers: asked, signal }, limits);
  } catch (error) {
    throw unreachable(url, error);
  }
  if (found.status === 206 || (found.status === 416 && range === "bytes=0-0")) return found; // 416: no byte is there
  await found.body?.cancel();
  if (found.status === 200) {
    throw new InputError(`${url}: the server gives no ranges; download the file and name its path`);
  }
  throw new InputError(`${url}: the server answered ${found.status}; check the address, and the access it needs`);
}

/** The whole file's size, from `Content-Range: bytes 0-0/1234`. */
function sizeOf(answer: Response, url: string): number {
  const stated = answer.headers.get("content-range") ?? "";
  const size = /^bytes (?:\d+-\d+|\*)\/(\d+)$/.exec(stated)?.[1];
  if (size !== undefined) return Number(size);
  throw new InputError(`${url}: the server does not say how long the file is (content-range "${stated}"); download it`);
}

async function body(answer: Response, url: string): Promise<ArrayBuffer> {
  try {
    return await answer.arrayBuffer();
  } catch (error) {
    throw unreachable(url, error);
  }
}

function unreachable(url: string, error: unknown): unknown {
  if (isAbort(error) || error instanceof InputError) return error;
  return new InputError(`${url}: cannot be read: ${failureOf(error)}`, { cause: error });
}
