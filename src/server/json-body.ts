// A body's bytes as a JSON object.

import { ApiError } from "./api-error.ts";
import type { Scan } from "./json-scan.ts";

/** A JSON object, as a body is. */
export type Body = Record<string, unknown>;

/** The fewest numbers of a list that is kept as one array. */
const fewestPackedNumbers = 256;

/** Reads a body of which so much is known. @throws ApiError: 400 for what is no JSON object in UTF-8, or too much. */
export function parsedBody(bytes: Uint8Array, { tooMuch }: Scan): Body {
  if (tooMuch) throw wrong(tooMuch.problem, tooMuch.field);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw wrong("is not valid UTF-8");
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw wrong(`is not JSON: ${(error as Error).message.slice(0, 200)}`);
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw wrong("must be a JSON object");
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

function wrong(problem: string, field?: string): ApiError {
  const details = field === undefined ? {} : { param: field, code: "invalid_value" };
  return new ApiError(400, `${field ?? "body"}: ${problem}`, details);
}
