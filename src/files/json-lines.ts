// Files of JSON lines that survive a kill: values are appended, and a kill can tear the last line only. Whoever reads
// sees whole lines, whoever appends cuts the torn one off. Does not know what the values are.

import { existsSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { syncDirectory, writeAtomic } from "./atomic-file.ts";
import { fileError } from "./file-error.ts";
import { checkEnds, readWhole } from "./regular-file.ts";

/** A line, counted from 1, and the value in it. */
export interface JsonLine {
  readonly number: number;
  readonly text: string;
  /** Undefined where the line is not JSON. */
  readonly value: unknown;
}

/** What a file holds. */
export interface JsonLines {
  readonly lines: readonly JsonLine[];
  /** The last line, if it is torn: it has no end and is the beginning of JSON, no more. */
  readonly torn: JsonLine | undefined;
}

/** Every line of the file at `path`, none if there is no file. @throws InputError if it cannot be read. */
export async function readJsonLines(path: string): Promise<JsonLines> {
  if (!existsSync(path)) return { lines: [], torn: undefined };
  const lines = content(path)
    .split("\n")
    .map((text, i) => ({ number: i + 1, text, value: parsed(text) }));
  const last = lines.pop() as JsonLine;
  if (last.text === "") return { lines, torn: undefined };
  return isTorn(last.text) ? { lines, torn: last } : { lines: [...lines, last], torn: undefined };
}

/** Values as the lines of a file. */
export function jsonLines(values: readonly unknown[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join("");
}

/**
 * Adds a line, after cutting off a torn one. A write that fails, as on a full disk, leaves the file as it was.
 * @param options.sync also waits until the line is on the disk.
 * @throws InputError if the file cannot be written.
 */
export async function appendJsonLine(path: string, value: unknown, { sync = false } = {}): Promise<void> {
  try {
    checkEnds(path);
    const file = await open(path, "a+");
    try {
      const end = await mendEnd(file);
      try {
        await file.appendFile(jsonLines([value]));
        if (sync) await file.sync();
      } catch (error) {
        await file.truncate(end).catch(() => {}); // the first error tells more
        throw error;
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError("write", path, error);
  }
  if (sync) await syncDirectory(dirname(path));
}

/**
 * Keeps the lines whose value is `wanted` and drops the others and a torn one. Atomic; a file that is right already
 * stays as it is.
 * @throws InputError if the file cannot be written; whatever `wanted` throws.
 */
export async function filterJsonLines(path: string, wanted: (line: JsonLine) => boolean): Promise<void> {
  const { lines, torn } = await readJsonLines(path);
  const kept = lines.filter(wanted);
  if (!torn && kept.length === lines.length) return;
  const text = kept.map(({ text }) => `${text}\n`).join("");
  await writeAtomic(path, [new TextEncoder().encode(text)]);
}

/** Cuts off a torn last line, and ends a whole one that has no end. @throws InputError if the file cannot be written. */
export async function mendJsonLines(path: string): Promise<void> {
  try {
    const file = await open(path, "r+");
    try {
      await mendEnd(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError("write", path, error);
  }
}

/** Makes a file end with a line's end: a torn line goes, a whole one is ended. @returns the file's bytes then. */
async function mendEnd(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  if (size === 0) return 0;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  if (buffer[0] === 0x0a) return size;
  const content = Buffer.alloc(size);
  await file.read(content, 0, size, 0);
  const start = content.lastIndexOf(0x0a) + 1;
  if (isTorn(content.subarray(start).toString("utf8"))) {
    await file.truncate(start);
    return start;
  }
  await file.write("\n", size);
  return size + 1;
}

/** A file's text; a torn line may end within a character. */
function content(path: string): string {
  const bytes = readWhole(path);
  try {
    return bytes.toString("utf8");
  } catch (error) {
    throw fileError("read", path, error); // longer than a string can be
  }
}

/** Whether a last line without an end is torn. One that is JSON but for its end was damaged otherwise. */
function isTorn(text: string): boolean {
  return parsed(text) === undefined && parsed(text.slice(0, -1)) === undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
