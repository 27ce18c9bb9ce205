// JSON lines that know a checksum of themselves, as `check`, their last field: a flipped bit in a row is noticed. Does not
// know what the rows are.

import { InputError } from "../error.ts";
import { isObject } from "./json-file.ts";
import type { JsonLine } from "./json-lines.ts";
import { digestOf } from "./sealed-json.ts";

/** How a line ends that has a checksum, whatever a flipped bit has made of the field's name. */
const ending = /(?:,|(?<=^\{))"([^"]*)":"([0-9a-f]{8})"\}$/;

/** A row with its checksum. */
export function withCheck(row: object): object {
  return { ...row, check: checkOf(JSON.stringify(row)) };
}

/**
 * The row of a line, without its checksum. Rows from before have none.
 * @throws InputError if the line is no object, or not as it was written.
 */
export function checkedRow(path: string, { number, text, value }: JsonLine): Record<string, unknown> {
  if (!isObject(value)) {
    throw new InputError(`${path}: line ${number} is not a JSON object; remove the line or restore the file`);
  }
  const [end, name, digits] = ending.exec(text) ?? [];
  if (end === undefined && !("check" in value)) return value;
  const row = text.slice(0, text.length - (end ?? "").length);
  if (name !== "check" || checkOf(`${row}}`) !== digits) {
    throw new InputError(`${path}: line ${number} is not as it was written (its checksum differs); restore the file`);
  }
  const { check: _, ...rest } = value;
  return rest;
}

function checkOf(row: string): string {
  return digestOf(row).slice(0, 8);
}
