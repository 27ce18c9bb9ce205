// JSON files that know their own SHA-256, as `checksum`, their last field: taken over the file's bytes with its own 64
// digits as zeros. Does not know what the files are about.

import { createHash } from "node:crypto";
import { InputError } from "../error.ts";
import { encodeJson } from "./json-file.ts";

const blank = "0".repeat(64);
const field = /"checksum": "([0-9a-f]{64})"/g;

/** How a file's bytes and its checksum go together; `absent` where it has none. */
export type Seal = "intact" | "broken" | "absent";

/** The SHA-256 of `bytes`, in hexadecimal digits. */
export function digestOf(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** An object as the bytes of a JSON file that people can read, with its checksum. */
export function encodeSealed(value: object): Uint8Array {
  const bytes = encodeJson({ ...value, checksum: blank });
  bytes.write(digestOf(bytes), bytes.lastIndexOf(blank), "latin1");
  return bytes;
}

/** Whether the bytes of a JSON file are as they were written. */
export function sealOf(bytes: Uint8Array): Seal {
  const blanked = Buffer.from(bytes);
  const found = [...blanked.toString("latin1").matchAll(field)].at(-1);
  if (!found) return "absent";
  blanked.write(blank, found.index + found[0].length - blank.length - 1, "latin1");
  return digestOf(blanked) === found[1] ? "intact" : "broken";
}

/** What is wrong with a file that has another checksum than it says. */
export function notAsWritten(path: string): InputError {
  return new InputError(`${path}: is not as it was written (its checksum differs); restore it from a copy`);
}
