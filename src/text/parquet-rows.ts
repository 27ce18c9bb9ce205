// All rows of a small parquet file, with whatever columns it has. Does not know where the file lies.

import { parquetReadObjects } from "hyparquet";
import { InputError } from "../error.ts";
import type { ByteSource } from "../files/byte-source.ts";
import { compressors, parsers } from "./parquet.ts";

/** The rows, in memory. @throws InputError where the file is not parquet. */
export async function parquetRows(stored: ByteSource): Promise<Record<string, unknown>[]> {
  const file = {
    byteLength: stored.size,
    slice: (start: number, end: number = stored.size) =>
      stored.read(start < 0 ? stored.size + start : start, Math.min(end, stored.size)),
  };
  try {
    return await parquetReadObjects({ file, compressors, parsers });
  } catch (cause) {
    throw new InputError(`${stored.name}: cannot be read as parquet: ${(cause as Error).message}`, { cause });
  }
}
