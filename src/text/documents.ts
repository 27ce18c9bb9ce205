// The documents in one file, by its kind: a .txt is one document, a .jsonl has one per line, a .parquet one per row.
// Does not know where the file lies, nor which file comes next.

import { InputError } from "../error.ts";
import type { StoredFile } from "../files/byte-source.ts";
import { parquetColumn } from "./parquet.ts";

const readers: Record<string, (file: StoredFile, field: string) => AsyncIterable<string>> = {
  ".txt": wholeText,
  ".jsonl": linesOfJson,
  ".parquet": parquetColumn,
};

/** How files that hold documents end. */
export const documentKinds: readonly string[] = Object.keys(readers);

/** Whether `name` ends like a file that holds documents. */
export function holdsDocuments(name: string): boolean {
  return kindOf(name) !== undefined;
}

/**
 * The documents of `file`, lazily; `field` is the JSON field or the column that has the text. A null is an empty text.
 * @throws InputError naming the line or column that is not as it should be.
 */
export function documentsOf(file: StoredFile, field: string): AsyncIterable<string> {
  const kind = kindOf(file.name);
  if (kind === undefined) throw new InputError(`${file.name}: a file of documents ends in ${documentKinds.join(", ")}`);
  return (readers[kind] as (typeof readers)[string])(file, field);
}

function kindOf(name: string): string | undefined {
  return documentKinds.find((kind) => name.toLowerCase().endsWith(kind));
}

const longestTextUnits = 2 ** 29 - 25; // of UTF-16: V8's longest string

async function* wholeText(file: StoredFile): AsyncGenerator<string> {
  if (file.size > longestTextUnits) {
    throw new InputError(
      `${file.name}: one document of ${file.size} bytes is too long; split it into files or lines of a .jsonl`,
    );
  }
  const parts: string[] = [];
  for await (const part of decoded(file)) parts.push(part);
  yield parts.join("");
}

async function* linesOfJson(file: StoredFile, field: string): AsyncGenerator<string> {
  let number = 0;
  let pending: string[] = [];
  let pendingLength = 0;
  for await (const part of decoded(file)) {
    const lines = part.split("\n");
    const last = lines.pop() as string;
    for (const [i, line] of lines.entries()) {
      number++;
      const where = `${file.name}:${number}`;
      if (i === 0) checkLength(pendingLength + line.length, where);
      yield* lineOfJson(i === 0 ? pending.join("") + line : line, field, where);
    }
    if (lines.length > 0) [pending, pendingLength] = [[], 0];
    pending.push(last);
    pendingLength += last.length;
    checkLength(pendingLength, `${file.name}:${number + 1}`);
  }
  yield* lineOfJson(pending.join(""), field, `${file.name}:${number + 1}`);
}

function checkLength(length: number, where: string): void {
  if (length <= longestTextUnits) return;
  throw new InputError(`${where}: a line of more than ${longestTextUnits} characters is too long; split its text`);
}

function* lineOfJson(line: string, field: string, where: string): Generator<string> {
  if (line.trim() === "") return;
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch (cause) {
    throw new InputError(`${where}: not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof row !== "object" || row === null || Array.isArray(row)) {
    throw new InputError(`${where}: a line must be a JSON object with a field "${field}"`);
  }
  const text = Object.hasOwn(row, field) ? (row as Record<string, unknown>)[field] : undefined;
  if (typeof text !== "string" && text !== null) {
    const fields = Object.keys(row).join(", ") || "none";
    const found = text === undefined ? `no field "${field}"` : `field "${field}" is not a string`;
    throw new InputError(`${where}: ${found}; the fields are ${fields}`);
  }
  yield text ?? "";
}

/** The text of `file` in parts; a byte order mark is dropped. */
async function* decoded(file: StoredFile): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const decode = (bytes?: Uint8Array): string => {
    try {
      return bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode();
    } catch (cause) {
      throw new InputError(`${file.name}: not UTF-8 text`, { cause });
    }
  };
  for await (const bytes of file.stream()) yield decode(bytes);
  yield decode();
}
