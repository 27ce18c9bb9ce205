// One column of a parquet file, a row group at a time, or all rows of a small one. Knows not where the file lies.

import zlib from "node:zlib";
import { type Compressors, parquetMetadataAsync, parquetReadObjects, parquetScan, parquetSchema } from "hyparquet";
import { InputError } from "../error.ts";
import type { ByteSource, StoredFile } from "../files/byte-source.ts";

// Snappy comes with the library. Node has zstd from 22.15 on.
const zstd = (zlib as { zstdDecompressSync?: (input: Uint8Array) => Buffer }).zstdDecompressSync;
const compressors: Compressors = {
  GZIP: (input) => zlib.gunzipSync(input),
  BROTLI: (input) => zlib.brotliDecompressSync(input),
  ZSTD: (input) => {
    if (!zstd) throw new Error(`it is compressed by zstd, which needs Node 22.15; this is ${process.version}`);
    return zstd(input);
  },
};

// The library's own parser drops a byte order mark at the beginning of every string.
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const parsers = { stringFromBytes: (bytes: Uint8Array | undefined) => bytes && utf8.decode(bytes) };

/**
 * The strings of column `field`, in order; a null is an empty string.
 * @throws InputError where the file is not parquet, or the column is missing or not of strings.
 */
export async function* parquetColumn(stored: StoredFile, field: string): AsyncGenerator<string> {
  const file = sliced(stored);
  const metadata = await readable(stored, parquetMetadataAsync(file));
  const columns = parquetSchema(metadata).children.map(({ element }) => element.name);
  if (!columns.includes(field)) {
    throw new InputError(`${stored.name}: no column "${field}"; the columns are ${columns.join(", ")}`);
  }
  const scan = await readable(stored, parquetScan({ file, metadata, columns: [field], compressors, parsers }));
  for (const range of scan.ranges) {
    const texts = await readable(stored, scan.readColumn({ column: field, ...range }));
    for (let i = 0; i < texts.length; i++) {
      const text: unknown = texts[i] ?? "";
      if (typeof text !== "string") {
        throw new InputError(`${stored.name}: row ${range.rowStart + i} of column "${field}" is not a string`);
      }
      yield text;
    }
  }
}

/** All rows with all columns, in memory. @throws InputError where the file is not parquet. */
export function parquetRows(stored: ByteSource): Promise<Record<string, unknown>[]> {
  return readable(stored, parquetReadObjects({ file: sliced(stored), compressors, parsers }));
}

/** A source as the library reads it. */
function sliced(stored: ByteSource) {
  return {
    byteLength: stored.size,
    slice: (start: number, end: number = stored.size) =>
      stored.read(start < 0 ? stored.size + start : start, Math.min(end, stored.size)),
  };
}

/** `reading`, with what the library throws said of this file. */
async function readable<T>(file: ByteSource, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (cause) {
    if ((cause as Error).name === "AbortError") throw cause;
    throw new InputError(`${file.name}: cannot be read as parquet: ${(cause as Error).message}`, { cause });
  }
}
