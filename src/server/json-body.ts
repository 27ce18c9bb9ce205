// A body's bytes as a JSON object: small ones at once, large ones in a thread of their own (json-thread.ts), so that nobody
// waits while they are read. Knows no requests.

import { tooMuchIn } from "./json-scan.ts";
import { Thread } from "./thread.ts";

/** A JSON object, as a body is. */
export type Body = Record<string, unknown>;

/** What is wrong with a body, and the field in which it is. */
export class BodyError extends Error {
  override readonly name = "BodyError";
  readonly field: string | undefined;

  constructor(problem: string, field?: string) {
    super(problem);
    this.field = field;
  }
}

/** What the thread answers. */
export type ThreadAnswer = { readonly body: Body } | { readonly problem: string; readonly field?: string };

/** Bytes from which on a body is read in the thread. */
const largeBodyBytes = 1 << 16;

/** The fewest numbers of a list that crosses threads as one array. */
const fewestPackedNumbers = 256;

const thread = new Thread<ArrayBuffer, ThreadAnswer>(new URL("./json-thread.js", import.meta.url));

/** Reads a body. @throws BodyError for what is no JSON object, or too much. */
export async function jsonBody(bytes: ArrayBuffer): Promise<Body> {
  if (bytes.byteLength < largeBodyBytes) return parsedBody(new Uint8Array(bytes));
  const answer = await thread.ask(bytes, [bytes]);
  if ("body" in answer) return answer.body;
  throw new BodyError(answer.problem, answer.field);
}

/** Reads a body at once. @throws BodyError */
export function parsedBody(bytes: Uint8Array): Body {
  const tooMuch = tooMuchIn(bytes);
  if (tooMuch) throw new BodyError(tooMuch.problem, tooMuch.field);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new BodyError("is not valid UTF-8");
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw new BodyError(`is not JSON: ${(error as Error).message.slice(0, 200)}`);
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw new BodyError("must be a JSON object");
  return body as Body;
}

/**
 * A body whose long lists of token ids are arrays of numbers, which cross threads at no cost; of a long list of numbers
 * that are none only the first wrong one is kept.
 */
export function packed(body: Body): Body {
  return Object.fromEntries(
    Object.entries(body).map(([name, value]) => [
      name,
      Array.isArray(value) ? packedList(value.some(Array.isArray) ? value.map(packedList) : value) : value,
    ]),
  );
}

function packedList(list: unknown): unknown {
  if (!Array.isArray(list) || list.length < fewestPackedNumbers || typeof list[0] !== "number") return list;
  const wrong = list.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < 2 ** 32));
  return wrong < 0 ? Uint32Array.from(list) : [list[wrong]];
}
