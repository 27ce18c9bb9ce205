// Small JSON files, and whether a file is there at all. Knows no layout.

import { access } from "node:fs/promises";
import { InputError } from "../error.ts";
import { errorCode, fileError } from "./file-error.ts";
import { readWholeText } from "./regular-file.ts";

/** A JSON file's value. @throws InputError if it cannot be read or is not JSON. */
export async function readJson(path: string): Promise<unknown> {
  return parseJson(path, readWholeText(path));
}

/** The value of a JSON file's text. @throws InputError, which names the file, if it is not JSON. */
export function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError(`${path}: not JSON (${(error as Error).message}); restore the file`);
  }
}

/** A value as the bytes of a JSON file that people can read. @throws TypeError if JSON has no such value. */
export function encodeJson(value: unknown): Buffer {
  if (JSON.stringify(value) === undefined) throw new TypeError(`json: cannot store a value of type ${typeof value}`);
  return Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
}

/** Whether there is a file. @throws InputError if that cannot be told. */
export async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw fileError("read", path, error);
  }
}

/** Whether a JSON value is an object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
