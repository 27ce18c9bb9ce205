// How much a JSON text holds, told from its bytes before anything is made of them: a text of a few megabytes can hold a
// million values or levels, which take seconds to make and to check. Does not know whether it is JSON at all.

/** Most values of a body, beside those counted otherwise. */
export const mostValues = 4096;

/** Most values of a field that holds JSON schemas. */
export const mostSchemaValues = 20_000;

/** The deepest nesting of a body. */
const mostLevels = 100;

/** Fields with lists of token ids, which are not counted. */
const tokenFields = new Set(["prompt", "tokens"]);

/** Fields that hold JSON schemas. */
const schemaFields = new Set(["response_format", "json_schema", "structured_outputs", "guided_json", "tools"]);

/** What is too much, and the field in which it is. */
export interface TooMuch {
  readonly field: string;
  readonly problem: string;
}

const [quote, backslash, comma, colon, minus] = [0x22, 0x5c, 0x2c, 0x3a, 0x2d];
const [zero, nine, listOpen, listClose, objectOpen, objectClose] = [0x30, 0x39, 0x5b, 0x5d, 0x7b, 0x7d];

/** What a body of JSON holds. */
export interface Scan {
  /** Its values, token ids apart; where it has too much of them, how many were counted. */
  readonly values: number;
  readonly tooMuch?: TooMuch;
}

/** What a body of JSON, in UTF-8, holds; or what a field holds that has JSON as a text. */
export function scanned(bytes: Uint8Array, within?: string): Scan {
  const isList = new Uint8Array(mostLevels + 2);
  let depth = 0;
  let field = within ?? "body";
  let values = 0;
  let schemaValues = 0;
  const end = (tooMuch?: TooMuch): Scan => ({ values: values + schemaValues, ...(tooMuch && { tooMuch }) });
  let begins = true; // whether a value may begin here
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === comma) {
      begins = true;
      continue;
    }
    if (byte === listClose || byte === objectClose) {
      if (depth > 0) depth--;
      begins = false;
      continue;
    }
    if (byte <= 0x20 || !begins) {
      if (byte === colon) begins = true;
      continue;
    }
    begins = false; // a value's first byte
    let isKey = false;
    if (byte === quote) {
      const end = endOfString(bytes, at);
      isKey = isList[depth] === 0 && bytes[afterSpace(bytes, end + 1)] === colon;
      if (isKey && depth === 1 && within === undefined) field = keyOf(bytes.subarray(at, end + 1));
      at = end;
    } else if (byte === listOpen || byte === objectOpen) {
      depth++;
      if (depth > mostLevels) return end({ field, problem: `is nested deeper than ${mostLevels} levels` });
      isList[depth] = byte === listOpen ? 1 : 0;
      begins = true;
    }
    if (isKey) continue;
    const isNumber = byte === minus || (byte >= zero && byte <= nine);
    if (isNumber && isList[depth] === 1 && tokenFields.has(field)) continue;
    if (schemaFields.has(field)) {
      if (++schemaValues > mostSchemaValues) {
        return end({ field, problem: `has more than ${mostSchemaValues} values` });
      }
    } else if (++values > mostValues + 1) {
      return end({ field, problem: `the request has more than ${mostValues} values` }); // the body itself is one
    }
  }
  return end();
}

/** The place of the quote that ends the string which begins at `start`; the last place, if none does. */
function endOfString(bytes: Uint8Array, start: number): number {
  for (let end = bytes.indexOf(quote, start + 1); end >= 0; end = bytes.indexOf(quote, end + 1)) {
    let escapes = 0;
    while (bytes[end - 1 - escapes] === backslash) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return bytes.length - 1;
}

function afterSpace(bytes: Uint8Array, start: number): number {
  let at = start;
  while ((bytes[at] as number) <= 0x20) at++;
  return at;
}

/** A key as a text; what is none stands for itself. */
function keyOf(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes.subarray(0, 1000));
  try {
    return (JSON.parse(text) as string).slice(0, 200);
  } catch {
    return text.slice(1, 201);
  }
}
