// The columns of a parquet file, a row group at a time: one of texts, or all of them as rows. Knows not where the file lies.

import { assembleNested } from "hyparquet/src/assemble.js";
import { InputError } from "../error.ts";
import type { ByteSource } from "../files/byte-source.ts";
import { openParquet, type ParquetFile, parsers } from "./parquet-file.ts";

/** How much text a file may give beyond `freelyGiven` characters, for each of its bytes: a text may stand there once for many rows. */
const largestRatio = 4096;
const freelyGiven = 2 ** 32;

/**
 * The strings of column `field`, in order; a null is an empty string.
 * @throws InputError where the file is not parquet or damaged, or the column is missing or not of strings.
 */
export async function* parquetColumn(stored: ByteSource, field: string): AsyncGenerator<string> {
  const file = await openParquet(stored);
  const column = file.schema.children.find(({ element }) => element.name === field);
  if (!column) {
    const names = file.schema.children.map(({ element }) => element.name).join(", ");
    throw new InputError(`${stored.name}: no column "${field}"; the columns are ${names}`);
  }
  if (column.children.length > 0 || column.element.repetition_type === "REPEATED") {
    throw new InputError(`${stored.name}: column "${field}" is not of strings`);
  }
  let row = 0;
  let given = 0;
  for (const [group, rows] of file.groups.entries()) {
    if (rows === 0) continue;
    for (const text of await file.values(group, [field])) {
      if (text !== null && typeof text !== "string") {
        throw new InputError(`${stored.name}: row ${row} of column "${field}" is not a string`);
      }
      given += text?.length ?? 0;
      if (given > freelyGiven + largestRatio * stored.size) {
        throw new InputError(`${stored.name}: has more text than ${stored.size} bytes may hold; is it damaged?`);
      }
      yield text ?? "";
      row++;
    }
  }
}

/** All rows, in memory, with whatever columns there are. @throws InputError where the file is not parquet or damaged. */
export async function parquetRows(stored: ByteSource): Promise<Record<string, unknown>[]> {
  const file = await openParquet(stored);
  const all: Record<string, unknown>[] = [];
  for (const [group, rows] of file.groups.entries()) {
    if (rows === 0) continue;
    const made = Array.from({ length: rows }, (): Record<string, unknown> => ({}));
    for (const { element } of file.schema.children) {
      const values = await wholeColumn(file, group, element.name);
      for (const [i, row] of made.entries()) row[element.name] = values[i];
    }
    all.push(...made);
  }
  return all;
}

/** A column's values in a row group, structures and lists put together of their leaves. */
async function wholeColumn(file: ParquetFile, group: number, name: string): Promise<ArrayLike<unknown>> {
  const leaves = new Map<string, unknown[]>();
  for (const path of file.leavesOf(group, name)) leaves.set(path.join("."), await file.values(group, path));
  const column = file.schema.children.find(({ element }) => element.name === name);
  return file.bounded(0, `column "${name}"`, () => {
    if (column?.children.length) assembleNested(leaves, column, parsers);
    const values = leaves.get(name);
    if (!values) throw new Error(`column "${name}" is not there`);
    return values;
  });
}
