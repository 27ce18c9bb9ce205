// One column of a parquet file, a row group at a time. What the file claims is checked before it is believed, and reading
// has a time that the bytes bound. Does not know where the file lies.

import zlib from "node:zlib";
import {
  type ColumnMetaData,
  type Compressors,
  type FileMetaData,
  parquetMetadata,
  parquetSchema,
  type RowGroup,
  type SchemaTree,
} from "hyparquet";
import { readColumn } from "hyparquet/src/column.js";
import { DEFAULT_PARSERS } from "hyparquet/src/convert.js";
import { InputError } from "../error.ts";
import type { StoredFile } from "../files/byte-source.ts";
import { checkPages } from "./parquet-pages.ts";
import { withinTime } from "./time-limit.ts";

// Snappy comes with the library. Node has zstd from 22.15 on.
const zstd = (zlib as { zstdDecompressSync?: (input: Uint8Array, options: object) => Buffer }).zstdDecompressSync;
export const compressors: Compressors = {
  GZIP: (input, maxOutputLength) => zlib.gunzipSync(input, { maxOutputLength }),
  BROTLI: (input, maxOutputLength) => zlib.brotliDecompressSync(input, { maxOutputLength }),
  ZSTD: (input, maxOutputLength) => {
    if (!zstd) throw new Error(`it is compressed by zstd, which needs Node 22.15; this is ${process.version}`);
    return zstd(input, { maxOutputLength });
  },
};

// The library's own parser drops a byte order mark at the beginning of every string, and takes bytes that are no text.
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
export const parsers = {
  ...DEFAULT_PARSERS,
  stringFromBytes: (bytes: Uint8Array | undefined) => bytes && utf8.decode(bytes),
};

/** The file's ends, in bytes: what it begins with, and the length of its metadata with what it ends with. */
const magic = "PAR1";
const footerBytes = 8;

/** The largest metadata, in bytes, and the most rows of a group: beyond what writers make. */
const largestMetadata = 2 ** 28;
const mostRows = 2 ** 27;

/** Milliseconds for metadata or a chunk, and for each byte of it: far more than they need. */
const leastMs = 2000;
const msPerByte = 0.0005;

/**
 * The strings of column `field`, in order; a null is an empty string.
 * @throws InputError where the file is not parquet or damaged, or the column is missing or not of strings.
 */
export async function* parquetColumn(stored: StoredFile, field: string): AsyncGenerator<string> {
  const fail = (problem: string, cause?: unknown) =>
    new InputError(`${stored.name}: cannot be read as parquet: ${problem}`, { cause });
  const bounded = <T>(bytes: number, what: string, work: () => T): T => {
    const tooLong = () => new Error(`${what} takes too long to read`);
    try {
      return withinTime(leastMs + msPerByte * bytes, work, tooLong);
    } catch (cause) {
      throw fail((cause as Error).message, cause);
    }
  };
  const footer = await metadataBytes(stored, fail);
  const { metadata, schema } = bounded(footer.byteLength, "its metadata", () => {
    const metadata = parquetMetadata(footer, { geoparquet: false });
    checkRows(metadata);
    return { metadata, schema: parquetSchema(metadata) };
  });
  const column = schema.children.find(({ element }) => element.name === field);
  if (!column) {
    const names = schema.children.map(({ element }) => element.name).join(", ");
    throw new InputError(`${stored.name}: no column "${field}"; the columns are ${names}`);
  }
  let row = 0;
  for (const [i, group] of metadata.row_groups.entries()) {
    const rows = Number(group.num_rows);
    if (rows === 0) continue;
    const where = `row group ${i}`;
    const { chunk, start, end } = bounded(0, where, () => chunkOf(group, column, stored.size));
    const bytes = new Uint8Array(await stored.read(start, end));
    const uncompressed = bounded(bytes.length, where, () => checkPages(bytes, rows));
    const texts = bounded(uncompressed, where, () => textsOf(bytes, chunk, [schema, column], rows));
    for (const text of texts) {
      if (text !== null && typeof text !== "string") {
        throw new InputError(`${stored.name}: row ${row} of column "${field}" is not a string`);
      }
      yield text ?? "";
      row++;
    }
  }
}

/** The metadata with what follows it, as the library wants it. */
async function metadataBytes(file: StoredFile, fail: (problem: string) => InputError): Promise<ArrayBuffer> {
  const { size } = file;
  const latin1 = (bytes: ArrayBuffer) => Buffer.from(bytes).toString("latin1");
  if (size < magic.length + footerBytes) throw fail(`${size} bytes are too few`);
  const footer = await file.read(size - footerBytes, size);
  if (latin1(footer.slice(4)) !== magic || latin1(await file.read(0, 4)) !== magic) {
    throw fail(`it does not begin and end with ${magic}`);
  }
  const length = new DataView(footer).getUint32(0, true);
  if (length > Math.min(size - magic.length - footerBytes, largestMetadata)) {
    throw fail(`its metadata would have ${length} bytes of ${size}`);
  }
  return file.read(size - footerBytes - length, size);
}

/** Throws where the groups' rows are not the file's. */
function checkRows({ num_rows, row_groups }: FileMetaData): void {
  let total = 0n;
  for (const { num_rows: rows } of row_groups) {
    if (typeof rows !== "bigint" || rows < 0n || rows > mostRows) throw new Error(`a row group has ${rows} rows`);
    total += rows;
  }
  if (total !== num_rows) throw new Error(`its row groups have ${total} rows, the file has ${num_rows}`);
}

/** Where a group has its part of a column. */
function chunkOf(group: RowGroup, { element, children }: SchemaTree, size: number) {
  const chunk = group.columns.find(({ meta_data }) => meta_data?.path_in_schema.join(".") === element.name)?.meta_data;
  if (children.length > 0 || element.repetition_type === "REPEATED" || !chunk) {
    throw new Error(`column "${element.name}" is not of strings`);
  }
  if (chunk.num_values !== group.num_rows) throw new Error(`${chunk.num_values} values in ${group.num_rows} rows`);
  const offsets = [chunk.dictionary_page_offset, chunk.data_page_offset].filter((at) => at !== undefined && at > 0n);
  const start = Math.min(...offsets.map(Number));
  const end = start + Number(chunk.total_compressed_size);
  if (!(start >= magic.length && end >= start && end <= size - footerBytes)) {
    throw new Error(`a column lies at bytes ${start} to ${end} of ${size}`);
  }
  return { chunk, start, end };
}

/** The values of a chunk, which are strings and nulls if the column is of strings. */
function textsOf(bytes: Uint8Array, chunk: ColumnMetaData, schemaPath: SchemaTree[], rows: number): unknown[] {
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  const { element } = schemaPath[1] as SchemaTree;
  const decoder = { ...chunk, pathInSchema: chunk.path_in_schema, element, schemaPath, parsers, compressors };
  const { data } = readColumn(reader, { groupStart: 0, groupRows: rows, selectStart: 0, selectEnd: rows }, decoder);
  const texts = data.flatMap((part) => Array.from(part as ArrayLike<unknown>));
  if (texts.length !== rows) throw new Error(`${texts.length} values are there of ${rows}`);
  const missing = texts.indexOf(undefined);
  if (missing >= 0) throw new Error(`value ${missing} is not there`);
  return texts;
}
