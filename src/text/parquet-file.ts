// A parquet file: what it says of itself, checked before it is believed, and its chunks, each a column's values in a row
// group, read within a time and a memory that their bytes bound. Knows not where the file lies, nor what columns are for.

import { getHeapStatistics } from "node:v8";
import zlib from "node:zlib";
import {
  type ColumnMetaData,
  type Compressors,
  type FileMetaData,
  parquetMetadata,
  parquetSchema,
  type SchemaTree,
} from "hyparquet";
import { readColumn } from "hyparquet/src/column.js";
import { DEFAULT_PARSERS } from "hyparquet/src/convert.js";
import { getTreePath } from "hyparquet/src/schema.js";
import { InputError } from "../error.ts";
import type { ByteSource } from "../files/byte-source.ts";
import { checkPages, isFlat } from "./parquet-pages.ts";
import { withinTime } from "./time-limit.ts";

// Snappy comes with the library. Node has zstd from 22.15 on.
const zstd = (zlib as { zstdDecompressSync?: (input: Uint8Array, options: object) => Buffer }).zstdDecompressSync;
const compressors: Compressors = {
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

/** What a value, and a byte of text, take of the heap at most. */
const heapPerValue = 64;
const heapPerByte = 2;

/** An open file. */
export interface ParquetFile {
  readonly schema: SchemaTree;
  /** Rows of each row group. */
  readonly groups: readonly number[];
  /** The leaves of a column in a row group, which a flat column is one of: their paths in the schema. */
  leavesOf(group: number, column: string): string[][];
  /** A leaf's values in a row group; lists are assembled, so there is a value for each row. */
  values(group: number, path: readonly string[]): Promise<unknown[]>;
  /** Does what depends on the file's contents within the time of `bytes`. @throws InputError that names the file. */
  bounded<T>(bytes: number, what: string, work: () => T): T;
}

/** Opens a file. @throws InputError where it is not parquet or damaged. */
export async function openParquet(stored: ByteSource): Promise<ParquetFile> {
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
  const groups = metadata.row_groups.map(({ num_rows }) => Number(num_rows));
  const chunks = (group: number) =>
    metadata.row_groups[group]?.columns.flatMap(({ meta_data }) => meta_data ?? []) ?? [];
  const taken = new Map<string, number>(); // bytes of each leaf so far
  return {
    schema,
    groups,
    bounded,
    leavesOf: (group, column) =>
      bounded(0, `row group ${group}`, () =>
        chunks(group)
          .map(({ path_in_schema }) => path_in_schema)
          .filter(([first]) => first === column),
      ),
    async values(group, path) {
      const where = `row group ${group}`;
      const name = path.join(".");
      const { chunk, start, end, schemaPath } = bounded(0, where, () => {
        const chunk = chunks(group).find(({ path_in_schema }) => path_in_schema.join(".") === name);
        if (!chunk) throw new Error(`${where} has no column "${name}"`);
        const place = placeOf(chunk, stored.size);
        const before = taken.get(name) ?? 0;
        taken.set(name, before + place.end - place.start);
        if (before + place.end - place.start > stored.size) throw new Error(`parts of column "${name}" are the same`);
        return { chunk, ...place, schemaPath: getTreePath(schema, [...path]) };
      });
      const bytes = new Uint8Array(await stored.read(start, end));
      const decoder = { ...chunk, pathInSchema: chunk.path_in_schema, schemaPath, parsers, compressors };
      const columnDecoder = { ...decoder, element: (schemaPath.at(-1) as SchemaTree).element };
      const rows = groups[group] as number;
      const texts = bounded(bytes.length, where, () => {
        const count = Number(chunk.num_values);
        if (isFlat(schemaPath) && count !== rows) throw new Error(`${count} values in ${rows} rows`);
        const texts = checkPages(bytes, count, columnDecoder);
        checkMemory(texts, count);
        return texts;
      });
      return bounded(texts, where, () => {
        const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
        const selection = { groupStart: 0, groupRows: rows, selectStart: 0, selectEnd: rows };
        const values = readColumn(reader, selection, columnDecoder).data.flatMap((part) => Array.from(part));
        if (values.length !== rows) throw new Error(`${values.length} values are there of ${rows}`);
        const missing = values.indexOf(undefined);
        if (missing >= 0) throw new Error(`value ${missing} is not there`);
        return values;
      });
    },
  };
}

/** The metadata with what follows it, as the library wants it. */
async function metadataBytes(file: ByteSource, fail: (problem: string) => InputError): Promise<ArrayBuffer> {
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

/** Where a chunk lies. */
function placeOf(chunk: ColumnMetaData, size: number): { start: number; end: number } {
  const offsets = [chunk.dictionary_page_offset, chunk.data_page_offset].filter((at) => at !== undefined && at > 0n);
  const start = Math.min(...offsets.map(Number));
  const end = start + Number(chunk.total_compressed_size);
  if (start >= magic.length && end >= start && end <= size - footerBytes) return { start, end };
  throw new Error(`a column lies at bytes ${start} to ${end} of ${size}`);
}

/** Throws where so many bytes of text in so many values are more than the heap may hold. */
function checkMemory(texts: number, values: number): void {
  const { heap_size_limit, used_heap_size } = getHeapStatistics();
  const needed = heapPerByte * texts + heapPerValue * values;
  if (needed <= heap_size_limit - used_heap_size) return;
  throw new Error(
    `${texts} bytes in ${values} values may take more than the ${heap_size_limit - used_heap_size} bytes of memory that Node has left; write it in smaller row groups, or raise NODE_OPTIONS=--max-old-space-size`,
  );
}
